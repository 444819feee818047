"""Runs one operation at a time in a thread that belongs to the app."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from textual.message import Message

from console.errors import ConsoleError, CouldNotRun, InDoubt, Stopped
from console.operation import (
    Applied,
    Check,
    Checked,
    Event,
    Outcome,
    Plan,
    Planned,
    Progress,
    StopToken,
)
from screens.courtesy import Courtesy
from screens.messages import Advanced, Ended
from screens.pace import Pace, State, View

TICK_SECONDS = 0.1
WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """One verb of one operation: what to walk, how to stop it, whom to ask what it waits for.

    `key` says for whom it is run; whoever started it finds it in the ending again.
    """

    title: str
    verb: str
    events: Callable[[], Iterator[Event]]
    stop: StopToken = field(default_factory=StopToken)
    waits_for: Callable[[int], str] = lambda _pid: ""
    key: object = None


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a job."""

    job: Job
    view: View
    plan: Plan | None = None
    check: Check | None = None
    outcome: Outcome | None = None
    error: ConsoleError | None = None
    waited: str = ""


class Host(Protocol):
    """The part of the app that the runner needs; both methods may be called from any thread."""

    def post_message(self, message: Message) -> bool: ...

    def crashed(self, error: Exception) -> str:
        """Write a crash report and return one sentence for the operator."""


class Runner:
    """Walks the events of one job; the host hears of progress at most ten times a second."""

    def __init__(self, host: Host, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pace: Pace | None = None
        self.courtesy = Courtesy()
        self.job: Job | None = None

    @property
    def busy(self) -> bool:
        """Whether a job runs."""
        return self.job is not None

    def claim(self, job: Job) -> bool:
        """Take the one place for this job; False when another job has it."""
        with self._lock:
            if self.job is not None:
                return False
            self.job = job
            self._pace = Pace(job.title, job.verb, self._clock)
            self._over.clear()
            return True

    def stop(self) -> None:
        """Ask the job to stop; it is over only when its ending says so."""
        job = self.job
        if job is not None and self._pace is not None:
            self._post(self._pace.ask_to_stop())
            # Ending a statement on the server may wait for the network, the screen must not.
            threading.Thread(target=job.stop.request, daemon=True).start()

    def work(self) -> None:
        """Walk the claimed job to its end; the body of the worker thread."""
        job, pace = self.job, self._pace
        if job is None or pace is None:
            return
        threading.Thread(target=self._watch, args=(job, pace), daemon=True).start()
        ending = self._walk(job, pace)
        self._over.set()
        self.job = None
        self._host.post_message(Ended(ending))

    def _walk(self, job: Job, pace: Pace) -> Ending:
        found: dict[type[Event], Event] = {}
        try:
            for event in job.events():
                found[type(event)] = event
                pace.take(event)
                if isinstance(event, Progress):
                    self.courtesy.grant()
        except ConsoleError as error:
            return _ended(job, pace, found, error)
        except Exception as error:
            return _ended(job, pace, found, CouldNotRun(self._host.crashed(error)))
        return _ended(job, pace, found, None)

    def _watch(self, job: Job, pace: Pace) -> None:
        """Show the newest view at a steady rate, and now and then ask the server."""
        asked = self._clock()
        while not self._over.wait(TICK_SECONDS):
            pid = pace.view.pid
            if pid is not None and self._clock() - asked >= WATCH_SECONDS:
                pace.waits(job.waits_for(pid))
                asked = self._clock()
            if not self._over.is_set():
                self._post(pace.tick())

    def _post(self, view: View) -> None:
        self._host.post_message(Advanced(view))


def _ended(
    job: Job, pace: Pace, found: dict[type[Event], Event], error: ConsoleError | None
) -> Ending:
    planned, checked, applied = found.get(Planned), found.get(Checked), found.get(Applied)
    state, note = _verdict(error, applied is not None)
    return Ending(
        job=job,
        view=pace.end(state, note),
        plan=planned.plan if isinstance(planned, Planned) else None,
        check=checked.check if isinstance(checked, Checked) else None,
        outcome=applied.outcome if isinstance(applied, Applied) else None,
        error=error,
        waited=pace.waited,
    )


def _verdict(error: ConsoleError | None, applied: bool) -> tuple[State, str]:
    match error:
        case None:
            return "done", "committed" if applied else "finished"
        case InDoubt():
            return "in_doubt", error.message
        case Stopped():
            return "stopped", error.message
        case _:
            return "failed", error.message
