"""What the screens with a long table share: search, one kind after the other, copy, export."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.widgets import Input

from console.errors import ConsoleError
from screens.base import ConsoleScreen
from screens.export import write_csv
from screens.widgets.keyset_table import KeysetTable
from screens.widgets.pages import Row, Source, everything

ALL = ""


class TabledScreen(ConsoleScreen):
    """A screen around one `KeysetTable`; a subclass says what is read and written."""

    EXPORT_NAME: ClassVar[str] = "rows"

    def __init__(self) -> None:
        super().__init__()
        self.kind = ALL
        self.search = ""

    @property
    def table(self) -> KeysetTable:
        return self.query_one(KeysetTable)

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.table.row if self.is_mounted else None

    def kinds(self) -> Sequence[str]:
        """The kinds that can be asked for."""
        return ()

    def reload(self) -> None:
        """Show the rows of `self.kind` that contain `self.search`."""
        raise NotImplementedError

    def export_header(self) -> Sequence[str]:
        raise NotImplementedError

    def export_row(self, value: Any) -> Sequence[object]:
        raise NotImplementedError

    def copied(self) -> str:
        """What is copied: the selected id."""
        return ""

    def search_field(self) -> Input:
        """The hidden field that opens with `/`."""
        field = Input(placeholder="show only rows that contain ...", id="search")
        field.display = False
        return field

    def next_kind(self) -> None:
        """Show the next kind, after the last one all."""
        order = [ALL, *self.kinds()]
        self.kind = order[(order.index(self.kind) + 1) % len(order)]
        self.reload()

    def do_search(self) -> None:
        field = self.query_one("#search", Input)
        field.display = True
        field.focus()

    @on(Input.Submitted, "#search")
    def _searched(self, event: Input.Submitted) -> None:
        event.stop()
        self.search = event.value.strip()
        event.input.display = bool(self.search)
        self.table.focus()
        self.reload()

    def why_not_copy(self) -> str:
        return "" if self.copied() else "nothing is selected"

    def do_copy(self) -> None:
        text = self.copied()
        self.app.copy_to_clipboard(text)
        self.say(f"Copied {text}")

    def why_not_export(self) -> str:
        return "" if self.is_mounted and self.table.known else "there is no row to write"

    def do_export(self) -> None:
        source = self.table.source
        if source is not None:
            # A plan may have a million rows; the screen must not wait for them.
            work = partial(self._export, source)
            self.run_worker(work, thread=True, group="export", exit_on_error=False)

    def _export(self, source: Source) -> None:
        folder, header = self.console.stage.export_folder(), self.export_header()
        rows = (self.export_row(row.value) for row in everything(source))
        try:
            path, number = write_csv(folder, self.EXPORT_NAME, header, rows)
        except ConsoleError as error:
            self.app.call_from_thread(self.say, error.message, "error")
        else:
            self.app.call_from_thread(self.say, f"{number:,} rows written to {path}")

    def do_back(self) -> None:
        if self.search or self.query_one("#search").display:
            self.search = ""
            self.query_one("#search", Input).value = ""
            self.query_one("#search").display = False
            self.table.focus()
            self.reload()
        else:
            self.app.pop_screen()
