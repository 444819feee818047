"""What the runner and the widgets tell the app; only progress may be replaced by newer progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from screens.pace import View
    from screens.runner import Ending


class Advanced(Message):
    """The running operation went on; only the newest of these matters."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Advanced)


class Ended(Message):
    """The running operation ended, with whatever came of it; never dropped."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self.ending = ending
