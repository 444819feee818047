"""A dialog to choose one of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from screens import present


class ChooseScreen(ModalScreen[int | None]):
    """Answers with the position of what was chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel", show=False)]

    def __init__(self, title: str, rows: Sequence[Content]) -> None:
        super().__init__()
        self._title = title
        self._rows = rows

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(present.label(self._title, "bold"), classes="title")
            yield OptionList(*(Option(row) for row in self._rows), markup=False)
            yield Static(present.label("⏎ chooses   esc cancels", present.QUIET), classes="foot")

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)

    def action_leave(self) -> None:
        self.dismiss(None)
