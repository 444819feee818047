"""The session log as a list, and whether its chain holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.errors import ConsoleError
from screens import present
from screens.actions import bindings
from screens.confirm import ConfirmScreen
from screens.ports import Entry, Incident
from screens.questions import before_end
from screens.tabled import TabledScreen
from screens.widgets.columns import Column
from screens.widgets.keyset_table import KeysetTable
from screens.widgets.pages import Row
from screens.words import paragraph


class SessionScreen(TabledScreen):
    """Everything that was done in this session, as its log has it."""

    TITLE_WORD = "Session"
    EXPORT_NAME = "session"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("verify", "end", "search", "copy", "export", "back", "help", "quit")
    ]

    def __init__(self, incident: Incident) -> None:
        super().__init__()
        self._incident = incident
        self._verdict: Content = present.label("")

    def body(self) -> Iterator[Any]:
        yield Vertical(Static(id="head"), id="totals")
        yield self.search_field()
        with Horizontal(id="columns"):
            yield KeysetTable(
                Column("#", 5, right=True),
                Column("At UTC", 8),
                Column("Step", 4),
                Column("Kind", 9),
                Column("What"),
                empty="No event.",
            )
            panel = VerticalScroll(Static(id="detail"), id="panel")
            panel.border_title = "Record"
            yield panel

    def ready(self) -> None:
        self.table.focus()
        self.do_verify()

    def reload(self) -> None:
        try:
            entries = list(self._incident.entries())
        except ConsoleError as error:
            self.say(error.message, "error")
            return
        needle = self.search.casefold()
        shown = [e for e in entries if needle in f"{e.kind} {e.step} {e.text}".casefold()]
        head = paragraph(
            present.joined(present.label("Session", "bold"), self._incident.id),
            self._verdict,
        )
        self.query_one("#head", Static).update(head)
        self.table.border_title = "Log"
        self.table.show(partial(_fetch, shown), total=len(shown), dense=True)

    def do_verify(self) -> None:
        try:
            check = self._incident.verify_log()
        except ConsoleError as error:
            self._verdict = present.joined(present.answer("not_run"), error.message)
        else:
            self._verdict = present.joined(present.answer(check.answer), check.summary)
        self.reload()

    def why_not_end(self) -> str:
        return self.why_not_start_work()

    def do_end(self) -> None:
        dialog = ConfirmScreen(before_end(self._incident.id), self.console.dwell)
        self.app.push_screen(dialog, self._ended)

    def _ended(self, yes: bool | None) -> None:
        if not yes:
            return
        try:
            self.console.flow.close(self._incident)
        except ConsoleError as error:
            self.say(f"{error.message} {error.next_step}", "error")
        else:
            self.app.pop_screen()

    def on_keyset_table_moved(self, message: KeysetTable.Moved) -> None:
        text = paragraph(*_details(message.row.value)) if message.row else ""
        self.query_one("#detail", Static).update(text)
        self.table.border_subtitle = f"{self.table.cursor + 1:,} of {self.table.known:,}"
        self.refresh_actions()

    def copied(self) -> str:
        return self._incident.id

    def export_header(self) -> Sequence[str]:
        return ("seq", "at", "kind", "step", "text", "hash")

    def export_row(self, value: Entry) -> Sequence[object]:
        return (value.seq, value.at, value.kind, value.step, value.text, value.hash)


def _fetch(entries: Sequence[Entry], after: int, size: int) -> list[Row]:
    return [
        Row(number, _cells(entry), entry)
        for number, entry in enumerate(entries[after : after + size], start=after + 1)
    ]


def _cells(entry: Entry) -> tuple[Content, ...]:
    return (
        present.count(entry.seq),
        present.label(f"{entry.at:%H:%M:%S}"),
        present.label(entry.step.partition(".")[2] or entry.step),
        present.label(entry.kind),
        present.label(entry.text),
    )


def _details(entry: Entry) -> Iterator[Content]:
    yield present.joined(present.label(f"#{entry.seq} {entry.kind}", "bold"), entry.at)
    if entry.step:
        yield present.joined(present.label("step", present.QUIET), entry.step)
    yield present.label(entry.text)
    yield present.joined(present.label("hash", present.QUIET), entry.hash)
