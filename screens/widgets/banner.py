"""The line at the top of every screen: where am I, on which server, as whom."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.widgets import Static

from console.operation import Target
from screens import present
from screens.ports import Place

KINDS = ("sandbox", "staging", "replica", "production")


class Banner(Horizontal):
    """Environment in word and colour, server identity by the server's own word, operator."""

    place: reactive[Place | None] = reactive(None)
    target: reactive[Target | None] = reactive(None)

    def __init__(self, title: str, operator: str) -> None:
        super().__init__()
        self._title = title
        self._operator = operator

    def compose(self) -> ComposeResult:
        yield Static(id="banner-kind")
        yield Static(id="banner-server")
        yield Static(present.label(self._title), id="banner-title")

    def watch_place(self, place: Place | None) -> None:
        kind = place.kind if place else "none"
        self.set_class(False, *(f"-{name}" for name in KINDS))
        if kind in KINDS:
            self.add_class(f"-{kind}")
        self._show_server()

    def watch_target(self) -> None:
        self._show_server()

    def _show_server(self) -> None:
        place, target = self.place, self.target
        read_only = (target and target.read_only) or (place and place.read_only)
        kind = place.kind.upper() if place else "NO ENVIRONMENT"
        word = f" {kind} READ-ONLY " if read_only else f" {kind} "
        self.query_one("#banner-kind", Static).update(present.label(word))
        name = place.name if place else ""
        where = f"{target.host}/{target.database}" if target else "not connected"
        parts = [name, where]
        if target:
            parts.append(f"server {target.server_id}")
        parts.append(self._operator)
        shown = present.label("  ".join(part for part in parts if part))
        self.query_one("#banner-server", Static).update(shown)
