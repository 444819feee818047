"""How an operation is stopped: a request, asked for between its batches."""

from __future__ import annotations

import threading
from collections.abc import Callable

from console.errors import Stopped


class StopToken:
    """A request to stop, asked between batches; `on_stop` ends the statement in flight."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call this when a stop is asked for, from whichever thread asks."""
        self._callbacks.append(callback)

    def request(self) -> None:
        """Ask for the stop; it is over only when `check` has raised."""
        self._event.set()
        for callback in tuple(self._callbacks):
            callback()

    def forget(self) -> None:
        """Drop the callbacks: what they would end is over."""
        self._callbacks.clear()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Stopped` when a stop was asked for."""
        if self._event.is_set():
            raise Stopped
