"""How far an operation is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from console.operation import CommitSent, Event, Progress
from console.text import count, duration

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from console.cli.output import Output

_EVERY = 5.0  # seconds between two plain lines of one phase


class Shown(Protocol):
    """Shows events while an operation is walked through."""

    def show(self, event: Event) -> None:
        """Take in one event."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def progress(out: Output) -> Shown:
    """What fits the stderr of this process."""
    shown = sys.stderr is not None and sys.stderr.isatty()
    return LiveBar() if shown else Lines(out)


class Lines:
    """A line for each phase and for every few seconds within one."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._phase = ""
        self._began = self._last = 0.0

    def show(self, event: Event) -> None:
        """Say a phase when it begins, and how far it is every few seconds."""
        if isinstance(event, CommitSent):
            event = Progress("commit")
        if not isinstance(event, Progress):
            return
        now = time.monotonic()
        if event.phase != self._phase:
            self._phase, self._began, self._last = event.phase, now, now
            self._out.note(f"{event.phase} ...")
        elif now - self._last >= _EVERY:
            self._last = now
            self._out.note(_how_far(event, now - self._began))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._phase = ""


def _how_far(event: Progress, seconds: float) -> str:
    rate = event.done / seconds
    text = f"{event.phase}: {count(event.done)}"
    if event.total:
        text += f" of {count(event.total)}"
    text += f" {event.unit}, {count(round(rate))}/s"
    # Below one percent an estimate would be a guess.
    if event.total and event.done * 100 >= event.total:
        text += f", about {duration((event.total - event.done) / rate)} left"
    return text


class LiveBar:
    """A bar with rate and remaining time on stderr."""

    def __init__(self) -> None:
        self._bar = _bar()
        self._task = self._bar.add_task("", total=None, rate="")
        self._phase = ""

    def show(self, event: Event) -> None:
        """Move the bar; a new phase begins a new one."""
        if isinstance(event, CommitSent):
            event = Progress("commit")
        if not isinstance(event, Progress):
            return
        if event.phase != self._phase:
            self._phase = event.phase
            self._bar.reset(self._task, description=event.phase)
        # Said directly: `update` takes no total for "as before".
        self._bar.tasks[0].total = event.total
        rate = self._bar.tasks[0].speed or 0
        self._bar.update(
            self._task,
            completed=event.done,
            rate=f"{count(round(rate))} {event.unit}/s" if rate else "",
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
