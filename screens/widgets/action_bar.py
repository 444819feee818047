"""The line at the bottom of every screen: keys and what they do, dimmed when they cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from screens import present
from screens.actions import Action, keycap


class ActionKey(Static):
    """One action: a click does what its key does."""

    ALLOW_SELECT = False

    class Pressed(Message):
        """The operator clicked on an action."""

        def __init__(self, action: Action) -> None:
            super().__init__()
            self.action = action

    def __init__(self, action: Action) -> None:
        super().__init__(
            present.joined(
                present.label(keycap(action), "bold"), present.label(action.label), between=" "
            ),
            id=f"key-{action.id}",
        )
        self._action = action
        self.set_class(action.danger, "-danger")

    def show(self, reason: str) -> None:
        """Dim the key when there is a reason against it; the reason is its tooltip."""
        self.set_class(bool(reason), "-off")
        self.tooltip = present.label(reason or self._action.tooltip)

    def on_click(self) -> None:
        self.post_message(self.Pressed(self._action))


class ActionBar(Horizontal):
    """The actions of a screen; what cannot be done now stays visible."""

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = tuple(action for action in actions if action.shown)

    def compose(self) -> ComposeResult:
        for action in self._actions:
            yield ActionKey(action)

    def show(self, reason: Callable[[str], str]) -> None:
        """Ask for each action why not, and show it."""
        for action in self._actions:
            self.query_one(f"#key-{action.id}", ActionKey).show(reason(action.id))
