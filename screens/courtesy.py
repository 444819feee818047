"""Lets the screen answer a key before a busy job takes the processor again."""

from __future__ import annotations

import time
from collections.abc import Callable

ANSWER_SECONDS = 0.03


class Courtesy:
    """One pause of a job for each key; a key held down leaves the job half of the time."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._until = 0.0

    def ask(self) -> None:
        """A key came; called by the screen's thread."""
        now = self._clock()
        if now >= self._until + ANSWER_SECONDS:
            self._until = now + ANSWER_SECONDS

    def grant(self) -> None:
        """Wait until the key is answered; called by the job's thread, between two blocks."""
        left = self._until - self._clock()
        if left > 0:
            self._sleep(left)
