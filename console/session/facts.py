"""What a session log says, as immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from console.operation import Target
from console.session.record import ZERO

Verb = Literal["read", "plan", "apply", "verify"]
Verdict = Literal["APPLIED", "NOT APPLIED", "REFUSED", "UNKNOWN"]
StepStatus = Literal["open", "done", "failed", "attested", "skipped"]


@dataclass(frozen=True, slots=True)
class StepState:
    """How far one step of the runbook is, and what shows it."""

    status: StepStatus = "open"
    evidence: str = ""
    answer: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlanMade:
    """A plan that was shown in this session; it is used from the first intent to apply it."""

    token: str
    digest: str
    operation: str
    run_id: str
    made_at: datetime
    expires_at: datetime
    rows_written: int = 0
    blocked: str = ""
    step: str | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class RunApplied:
    """A run that was tried, and what became of it."""

    run_id: str
    operation: str
    verdict: Verdict
    at: datetime
    token: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """Something announced whose end the log does not know."""

    seq: int
    verb: str
    operation: str
    at: datetime
    step: str | None = None
    run_id: str = ""
    token: str = ""
    command: Mapping[str, Any] = field(default_factory=dict)
    commit_sent: bool = False


@dataclass(frozen=True, slots=True)
class SessionState:
    """Everything that resuming a session needs; mappings are never changed in place."""

    session: str = ""
    count: int = 0
    head: str = ZERO
    operator: str = ""
    reason: str = ""
    target: Target | None = None
    runbook: str | None = None
    started_at: datetime | None = None
    last_at: datetime | None = None
    current_step: str | None = None
    steps: Mapping[str, StepState] = field(default_factory=dict)
    carried: Mapping[str, Any] = field(default_factory=dict)
    plans: Mapping[str, PlanMade] = field(default_factory=dict)
    runs: Mapping[str, RunApplied] = field(default_factory=dict)
    pending: Mapping[int, Intent] = field(default_factory=dict)
    closed: bool = False

    @property
    def environment(self) -> str:
        return self.target.environment if self.target else ""

    @property
    def in_doubt(self) -> tuple[Intent, ...]:
        """Applies whose end is not known: to be settled before the run is touched again."""
        return tuple(i for i in self.pending.values() if i.verb == "apply")
