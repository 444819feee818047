"""Ctrl-C as a request: what is in flight is rolled back before the process ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.cli.output import Output
    from console.operation import StopToken

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stoppable(stop: StopToken, out: Output) -> Iterator[None]:
    """While the block runs, a signal asks the operation to stop and the block waits for its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(_number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            return
        # In a thread: ending the statement in flight talks to the server.
        threading.Thread(target=stop.request, daemon=True).start()
        out.note("Stopping: waiting for the roll back ...")

    # What the caller has ignored, as `nohup` does, stays ignored.
    wanted = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, asked) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
