"""What the session tests share: a clock that ticks, a target, plans, small operations, a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from console.operation import (
    Applied,
    BatchWritten,
    Check,
    Checked,
    Command,
    CommitSent,
    Event,
    Measured,
    Operation,
    Outcome,
    Plan,
    Planned,
    Progress,
    StopToken,
    Target,
)
from console.session.log import SessionLog

START = datetime(2026, 2, 8, 2, 14, 9, tzinfo=UTC)
TARGET = Target("sandbox", "sandbox", "127.0.0.1", "billing", "7301")
ID = "20260208-021409-a41f9c"
RUN = "manual-20260208-fix42"


class Clock:
    """A time that moves on by a second with every look at it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def make_plan(**changes: object) -> Plan:
    values: dict[str, object] = {
        "operation": "fake",
        "title": "A plan",
        "target": TARGET,
        "run_id": RUN,
        "digest": "9f3a" * 16,
        "counts": {"insert": 3},
        "money": {"EUR": Decimal("41207.55")},
        "rows_written": 3,
        "created_at": START,
        "expires_at": START + timedelta(minutes=30),
        "undo": "rollback",
    }
    return Plan(**{**values, **changes})  # type: ignore[arg-type]


OUTCOME = Outcome(RUN, "fake", {"insert": 3}, {"EUR": Decimal("1.00")}, "771", START, 0.25)


@dataclass(frozen=True, slots=True)
class Fill(Command):
    """A command with a value of every awkward kind."""

    csv: str = "missing_lines.csv"
    amount: Decimal = Decimal("1.10")


class Fake(Operation):
    """An operation whose apply does as the test says, and remembers what really happened."""

    name = "fake"
    writes = True

    def __init__(self, script: Callable[[Fake], Iterator[Event]] | None = None) -> None:
        self.stop = StopToken()
        self.command = Fill()
        self.script = script or whole
        self.head = ""
        self.began = False
        self.committed = False
        self.rolled_back = False

    def describe(self) -> str:
        return "SELECT 1"

    def read(self) -> Iterator[Event]:
        yield Progress("reading", 1)
        yield Checked(Check("duplicates", "warn", "One pair."))

    def plan(self) -> Iterator[Event]:
        yield Planned(make_plan())

    def verify(self, outcome: Outcome) -> Iterator[Event]:
        yield Checked(Check("counts", "pass"))

    def apply(self, plan: Plan, log_head: str) -> Iterator[Event]:
        self.head, self.began = log_head, True
        try:
            yield from self.script(self)
        finally:
            self.rolled_back = not self.committed


def whole(operation: Fake) -> Iterator[Event]:
    """An apply that goes well."""
    yield Progress("writing", 1)
    yield BatchWritten(1, {"insert": 3}, 0.125)
    yield Measured({"insert": 3}, {"EUR": Decimal("41207.55")})
    yield CommitSent(RUN)
    operation.committed = True
    yield Applied(OUTCOME)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SessionLog]:
    made = SessionLog.create(tmp_path / "logs", ID)
    yield made
    made.close()


def filled(log: SessionLog, count: int = 6) -> list[bytes]:
    """Append records and give back the lines of the file."""
    for number in range(count):
        log.append("note", {"text": f"number {number}"}, durable=False)
    return log.path.read_bytes().splitlines(keepends=True)
