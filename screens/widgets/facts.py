"""A word and what is said about it, with a hanging indent."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from screens import present


class Fact(Horizontal):
    """One row; hidden while nothing is said."""

    def __init__(self, word: str, said: Content | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self._word = word
        self._said = said

    def compose(self) -> ComposeResult:
        yield Static(present.label(self._word), classes="word")
        yield Static(self._said or "", classes="said", markup=False)

    def on_mount(self) -> None:
        self.display = self._said is not None

    def show(self, said: Content | None) -> None:
        """Say something else."""
        self._said = said
        self.display = said is not None
        if self.is_mounted and said is not None:
            self.query_one(".said", Static).update(said)
