"""Rate, rest and honest states, computed from events and a clock that the test moves."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from console.operation import BackendKnown, BatchWritten, CommitSent, Measured, Progress
from screens.pace import BATCHES, Pace


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace("Applying", "apply", clock)


def test_rate_and_rest(pace: Pace, clock: Clock) -> None:
    """Rate over the last seconds of a phase, rest from the rate."""
    pace.take(Progress("write", 0, 1000))
    clock.now = 2.0
    view = pace.take(Progress("write", 500, 1000))
    assert view.rate == 250.0
    assert view.eta == 2.0
    assert view.elapsed == 2.0


def test_no_rest_below_one_per_cent(pace: Pace, clock: Clock) -> None:
    """What has hardly begun has no estimate."""
    pace.take(Progress("write", 0, 1000))
    clock.now = 1.0
    assert pace.take(Progress("write", 9, 1000)).eta is None
    assert pace.take(Progress("write", 10, 1000)).eta is not None


def test_no_rest_while_waiting(pace: Pace, clock: Clock) -> None:
    """Who waits says for whom instead."""
    pace.take(Progress("write", 0, 1000))
    clock.now = 1.0
    pace.take(Progress("write", 500, 1000))
    view = pace.waits("waiting for pid 4121")
    assert view.eta is None
    assert view.waiting == "waiting for pid 4121"


def test_a_new_phase_starts_its_own_rate(pace: Pace, clock: Clock) -> None:
    """The rate of copying says nothing about writing."""
    pace.take(Progress("copy", 0, None, "bytes"))
    clock.now = 1.0
    pace.take(Progress("copy", 10_000_000, None, "bytes"))
    view = pace.take(Progress("write", 0, 100))
    assert view.rate == 0.0
    assert view.unit == "rows"


def test_batches_are_counted_and_bounded(pace: Pace) -> None:
    """Counts add up over all batches; only the last times are kept."""
    for number in range(BATCHES + 10):
        view = pace.take(BatchWritten(number, {"insert": 2}, float(number)))
    assert view.counts == {"insert": 2 * (BATCHES + 10)}
    assert len(view.batches) == BATCHES
    assert view.batches[-1] == BATCHES + 9


def test_a_stop_does_not_pretend_after_commit(pace: Pace) -> None:
    """Once COMMIT is out a stop changes nothing that is shown."""
    pace.take(CommitSent("r"))
    assert pace.ask_to_stop().state == "committing"


def test_a_stop_is_shown_until_the_end(pace: Pace) -> None:
    """Progress that still arrives does not hide that a stop was asked for."""
    pace.ask_to_stop()
    assert pace.take(Progress("write", 5, 10)).state == "stopping"


def test_measured_counts_replace_the_running_ones(pace: Pace) -> None:
    """The server's own count is the one that stands."""
    pace.take(BatchWritten(1, {"insert": 7}, 0.1))
    view = pace.take(Measured({"insert": 5}, {"EUR": Decimal(1)}))
    assert view.counts == {"insert": 5}


def test_the_backend_is_known(pace: Pace) -> None:
    """The process whose waits are asked for."""
    assert pace.take(BackendKnown(4121)).pid == 4121
