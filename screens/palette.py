"""The command palette: what the table of actions offers on this screen, with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from screens import present
from screens.actions import Action

if TYPE_CHECKING:
    from screens.base import ConsoleScreen


class ActionProvider(Provider):
    """Offers the actions of the screen that the palette was opened on."""

    @property
    def _console(self) -> ConsoleScreen | None:
        from screens.base import ConsoleScreen

        return self.screen if isinstance(self.screen, ConsoleScreen) else None

    def _offers(self) -> Iterator[tuple[Action, str, partial[None]]]:
        screen = self._console
        for action in screen.actions if screen else ():
            assert screen is not None  # noqa: S101 - narrows for the type checker
            reason = screen.why_not(action.id)
            said = f"not now: {reason}" if reason else action.tooltip
            yield action, said, partial(screen.action_act, action.id)

    async def discover(self) -> Hits:
        for action, said, call in self._offers():
            yield DiscoveryHit(
                present.label(action.label), call, text=action.label, help=present.label(said).plain
            )

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action, said, call in self._offers():
            score = matcher.match(f"{action.label} {action.tooltip}")
            if score > 0:
                yield Hit(
                    score,
                    present.label(action.label),
                    call,
                    text=action.label,
                    help=present.label(said).plain,
                )
