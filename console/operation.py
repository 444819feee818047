"""The words every floor shares: command, event, check, finding, plan, operation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from console.stop import StopToken as StopToken

Answer = Literal["pass", "warn", "fail", "not_run"]
Severity = Literal["info", "warning", "error"]
Image = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: what, how bad, where, and what to do next."""

    code: str
    severity: Severity
    message: str
    next_step: str = ""
    record: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A question with one of four answers; only `pass` is green."""

    name: str
    answer: Answer
    summary: str = ""
    findings: tuple[Finding, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Which database this is, by the server's own word."""

    environment: str
    kind: str
    host: str
    database: str
    server_id: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A frozen, imperative request; it may be refused."""


# Events: facts in the past tense, the only thing that travels upward.


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a phase is; a later one replaces it."""

    phase: str
    done: int = 0
    total: int | None = None
    unit: str = "rows"


@dataclass(frozen=True, slots=True)
class BackendKnown(Event):
    """The server process that does the work, for whoever watches what it waits for."""

    pid: int


@dataclass(frozen=True, slots=True)
class BatchWritten(Event):
    """One batch was written inside the still open transaction."""

    number: int
    counts: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured(Event):
    """Rows and money were measured inside the transaction and equal the plan's."""

    counts: Mapping[str, int]
    money: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class CommitSent(Event):
    """COMMIT goes out next; from here on a lost answer is in doubt."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an applied plan did."""

    run_id: str
    operation: str
    counts: Mapping[str, int]
    money: Mapping[str, Decimal]
    transaction_id: str
    committed_at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Applied(Event):
    """The plan was applied and committed."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Checked(Event):
    """A check has its answer."""

    check: Check


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One row of a plan: what it was, what it becomes, and why."""

    number: int
    key: str
    operation: str
    before: Image | None = None
    after: Image | None = None
    current: Image | None = None
    reason: str = ""
    selected: bool = True
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Exactly the rows, the money and the conflicts of one intended change.

    `counts` has one entry per kind of row, `money` the delta per currency; `digest` is the SHA-256
    over target, command and every row, so a plan of moved data has another one.
    """

    operation: str
    title: str
    target: Target
    run_id: str
    digest: str
    counts: Mapping[str, int]
    money: Mapping[str, Decimal]
    rows_written: int
    created_at: datetime
    expires_at: datetime
    undo: str
    findings: tuple[Finding, ...] = ()
    finding_count: int = 0
    blocked: str = ""
    notes: tuple[str, ...] = ()
    undoes: str = ""
    retry_of: str = ""

    @property
    def token(self) -> str:
        """What an operator types to mean exactly this plan: rows/money/digest."""
        amounts = "+".join(f"{amount:.2f}" for amount in self.money.values()) or "0.00"
        return f"{self.rows_written}/{amounts}/{self.digest[:8]}"


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """A plan stands."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Page:
    """A keyset page: rows with a number above `after`, of the kinds asked for (all when empty)."""

    after: int = 0
    size: int = 100
    kinds: tuple[str, ...] = ()
    search: str = ""


class Operation(ABC):
    """What handles one command; every verb is a generator whose last event carries the result.

    Errors raised: those of `console.errors`; each but `InDoubt` means that nothing was changed.
    """

    name: ClassVar[str]
    writes: ClassVar[bool] = False

    stop: StopToken

    def read(self) -> Iterator[Event]:
        """End with `Checked`."""
        raise NotImplementedError

    def plan(self) -> Iterator[Event]:
        """End with `Planned`; writes nothing."""
        raise NotImplementedError

    def apply(self, plan: Plan, log_head: str) -> Iterator[Event]:
        """End with `Applied`; does that plan and nothing else."""
        raise NotImplementedError

    def verify(self, outcome: Outcome) -> Iterator[Event]:
        """End with `Checked`; measures the result by another path."""
        raise NotImplementedError

    def undo(self, outcome: Outcome, run_id: str) -> Command:
        """The command whose plan, under that new run id, undoes the outcome."""
        raise NotImplementedError

    def rows(self, page: Page) -> Sequence[PlanRow]:
        """Rows of the plan that stands."""
        raise NotImplementedError

    def findings(self, after: int = 0, size: int = 1000) -> Sequence[Finding]:
        """Findings of the plan or check that stands, worst first."""
        raise NotImplementedError

    @abstractmethod
    def describe(self) -> str:
        """The exact SQL or command that the step runs."""

    def close(self) -> None:  # noqa: B027 - most operations hold nothing open
        """Give back what the operation holds open."""
