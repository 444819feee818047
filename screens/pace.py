"""Turns events into one immutable view of a running operation: phase, rate, rest, batch times."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from console.operation import (
    BackendKnown,
    BatchWritten,
    CommitSent,
    Event,
    Measured,
    Progress,
)

State = Literal["running", "stopping", "committing", "done", "failed", "stopped", "in_doubt"]
BATCHES = 60
WINDOW_SECONDS = 10.0
ETA_FROM = 0.01


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a running operation at one moment; `eta` and `elapsed` in seconds."""

    title: str
    verb: str
    state: State = "running"
    phase: str = ""
    done: int = 0
    total: int | None = None
    unit: str = "rows"
    rate: float = 0.0
    elapsed: float = 0.0
    batches: tuple[float, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    pid: int | None = None
    waiting: str = ""
    note: str = ""

    @property
    def fraction(self) -> float | None:
        """How much of the phase is done, 0 to 1; None when the total is not known."""
        return min(self.done / self.total, 1.0) if self.total else None

    @property
    def eta(self) -> float | None:
        """Seconds to the end of the phase; None below one per cent, without a rate, or waiting."""
        fraction = self.fraction
        if self.total is None or fraction is None or fraction < ETA_FROM:
            return None
        if self.waiting or self.state != "running" or self.rate <= 0:
            return None
        return (self.total - self.done) / self.rate


class Pace:
    """Keeps the view of one operation; `clock` returns monotonic seconds."""

    def __init__(self, title: str, verb: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        # Worker, watcher and screen all bring the view up to date.
        self._lock = threading.RLock()
        self._samples: deque[tuple[float, int]] = deque(maxlen=512)
        self.view = View(title, verb)
        self.waited = ""

    def take(self, event: Event) -> View:
        """Bring the view up to date with one event."""
        with self._lock:
            self.view = self._after(event)
            return self.tick()

    def _after(self, event: Event) -> View:
        match event:
            case Progress():
                return self._progressed(event)
            case BatchWritten():
                return self._written(event)
            case BackendKnown():
                return replace(self.view, pid=event.pid)
            case Measured():
                note = "measured, as planned"
                return replace(self.view, counts=dict(event.counts), note=note)
            case CommitSent():
                return replace(self.view, state="committing", waiting="")
            case _:
                return self.view

    def tick(self) -> View:
        """Bring the elapsed time up to date."""
        with self._lock:
            self.view = replace(self.view, elapsed=self._clock() - self._began)
            return self.view

    def waits(self, waiting: str) -> View:
        """Note what the server waits for."""
        with self._lock:
            self.view = replace(self.view, waiting=waiting)
            self.waited = waiting or self.waited
            return self.tick()

    def ask_to_stop(self) -> View:
        """Note that a stop was asked for, unless COMMIT is already out."""
        with self._lock:
            if self.view.state == "running":
                self.view = replace(self.view, state="stopping")
            return self.tick()

    def end(self, state: State, note: str) -> View:
        """Note how it ended."""
        with self._lock:
            self.view = replace(self.view, state=state, note=note, waiting="")
            return self.tick()

    def _progressed(self, event: Progress) -> View:
        if event.phase != self.view.phase:
            self._samples.clear()
        now = self._clock()
        self._samples.append((now, event.done))
        while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()
        return replace(
            self.view,
            phase=event.phase,
            done=event.done,
            total=event.total,
            unit=event.unit,
            rate=self._rate(),
        )

    def _rate(self) -> float:
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0

    def _written(self, event: BatchWritten) -> View:
        counts = dict(self.view.counts)
        for kind, number in event.counts.items():
            counts[kind] = counts.get(kind, 0) + number
        batches = (*self.view.batches, event.seconds)[-BATCHES:]
        return replace(self.view, counts=counts, batches=batches)
