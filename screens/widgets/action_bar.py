"""The lines at the bottom of every screen: keys and what they do, dimmed when they cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widgets import Static

from screens import present
from screens.actions import Action, keycap

GAP = 2


class ActionKey(Static):
    """One action: a click does what its key does."""

    ALLOW_SELECT = False

    class Pressed(Message):
        """The operator clicked on an action."""

        def __init__(self, action: Action) -> None:
            super().__init__()
            self.action = action

    def __init__(self, action: Action) -> None:
        words = present.joined(present.label(keycap(action), "bold"), present.label(action.label))
        super().__init__(words, id=f"key-{action.id}")
        self.cells = words.cell_length
        self._action = action
        self.set_class(action.danger, "-danger")

    def show(self, reason: str) -> None:
        """Dim the key when there is a reason against it; the reason is its tooltip."""
        self.set_class(bool(reason), "-off")
        self.tooltip = present.label(reason or self._action.tooltip)

    def on_click(self) -> None:
        self.post_message(self.Pressed(self._action))


class ActionBar(Container):
    """The actions of a screen, in as many lines as they need; what cannot be done stays visible."""

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = tuple(action for action in actions if action.shown)

    def compose(self) -> ComposeResult:
        for action in self._actions:
            yield ActionKey(action)

    def on_resize(self) -> None:
        """Put the keys one after the other, and go on in the next line."""
        x, y = 1, 0
        for key in self.query(ActionKey):
            if x > 1 and x + key.cells >= self.size.width:
                x, y = 1, y + 1
            key.styles.offset = (x, y)
            x += key.cells + GAP
        self.styles.height = y + 1

    def show(self, reason: Callable[[str], str]) -> None:
        """Ask for each action why not, and show it."""
        for action in self._actions:
            self.query_one(f"#key-{action.id}", ActionKey).show(reason(action.id))
