"""Two plain dialogs: the keys of a screen, and a text to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from screens import present
from screens.actions import Action, keycap
from screens.widgets.facts import Fact

READING = (
    "Everything that writes is planned first, and applied only after a confirmation.\n"
    "ctrl+p opens the palette. Tab moves the focus. A click does what the key does."
)


class HelpScreen(ModalScreen[None]):
    """Every key of a screen, what it does, and why it cannot be used now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close", show=False)
    ]

    def __init__(self, actions: Sequence[Action], why_not: Callable[[str], str]) -> None:
        super().__init__()
        self._actions = actions
        self._why_not = why_not

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(present.label("Keys of this screen", "bold"), classes="title")
            with VerticalScroll():
                for action in self._actions:
                    yield Fact(f"{keycap(action):>4} {action.label}", self._said(action))
                yield Static(present.lines(READING), classes="note")
            yield Static(present.label("esc closes", present.QUIET), classes="foot")

    def _said(self, action: Action) -> Content:
        if reason := self._why_not(action.id):
            return present.label(f"not now: {reason}", present.QUIET)
        return present.label(action.tooltip)


class TextScreen(ModalScreen[None]):
    """A text to read and to copy, such as the exact command of a step."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,c", "dismiss", "Close", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(present.label(self._title, "bold"), classes="title")
            with VerticalScroll():
                yield Static(present.lines(self._text), id="text")
            yield Static(present.label("y copies   esc closes", present.QUIET), classes="foot")

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._text)
        self.notify("Copied.", markup=False)
