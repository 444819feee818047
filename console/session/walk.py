"""What one walk through an operation has shown so far, and the verdict that follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.errors import ConsoleError, CouldNotRun, InDoubt, Refused
from console.operation import (
    Applied,
    Check,
    Checked,
    CommitSent,
    Event,
    Finding,
    Measured,
    Outcome,
    Plan,
    Planned,
)
from console.session.record import Name
from console.session.state import Verb

DURABLE = (CommitSent, Applied, Planned, Measured, Checked)
LOGGED_FINDINGS = 20


@dataclass(slots=True)
class Walk:
    """The facts that decide what may be claimed about an operation when it ends."""

    verb: Verb
    commit_sent: bool = False
    applied: Outcome | None = None
    answer: str = ""
    summary: str = ""
    log_failed: bool = False

    def happened(self, event: Event) -> None:
        """Take in what is true whether or not the log can be written."""
        if isinstance(event, Applied):
            self.applied = event.outcome
            self.summary = f"run {event.outcome.run_id}"
        elif isinstance(event, Checked):
            self.answer, self.summary = event.check.answer, event.check.summary
        elif isinstance(event, Planned):
            self.answer = "planned"
            self.summary = f"{event.plan.rows_written:,} rows to write, token {event.plan.token}"

    def logged(self, event: Event) -> None:
        """Take in what becomes true only when the operation is let go on."""
        if isinstance(event, CommitSent):
            self.commit_sent = True

    def require_end(self) -> None:
        """Raise unless the operation ended with the event that its verb promises."""
        if self.verb == "apply" and self.applied is None:
            if self.commit_sent:
                raise InDoubt
            raise CouldNotRun("The operation ended without saying that it was applied.")
        if self.verb != "apply" and not self.answer:
            raise CouldNotRun("The operation ended without an answer.")

    def verdict(self, error: BaseException | None) -> str:
        """APPLIED, NOT APPLIED, REFUSED or UNKNOWN for an apply; else the answer or `not_run`."""
        if self.verb == "apply":
            return self._apply_verdict(error)
        if isinstance(error, Refused):
            return "REFUSED"
        if self.answer and (error is None or isinstance(error, GeneratorExit)):
            return self.answer
        return "not_run"

    def _apply_verdict(self, error: BaseException | None) -> str:
        if self.applied is not None:
            return "APPLIED"
        if isinstance(error, ConsoleError) and not self.log_failed:
            if isinstance(error, Refused):
                return "REFUSED"
            return "UNKNOWN" if isinstance(error, InDoubt) else "NOT APPLIED"
        return "UNKNOWN" if self.commit_sent else "NOT APPLIED"

    @property
    def may_have_committed(self) -> bool:
        return self.verb == "apply" and (self.commit_sent or self.applied is not None)


def shut(events: Iterator[Event]) -> None:
    """Close a generator, so that what it holds open is rolled back."""
    close = getattr(events, "close", None)
    if close is not None:
        close()


def reason(error: BaseException | None) -> dict[str, str]:
    """An error as data: its kind, its sentence, what to do next."""
    if error is None:
        return {"error": "", "message": "", "next_step": ""}
    early = isinstance(error, GeneratorExit)
    message = "It was closed before its end." if early else str(error) or repr(error)
    return {
        "error": Name(type(error).__name__),
        "message": message,
        "next_step": getattr(error, "next_step", ""),
    }


def event_data(event: Event) -> dict[str, Any]:
    """An event as data; of many findings the log keeps the first."""
    if isinstance(event, Planned):
        return {Name("plan"): plan_data(event.plan)}
    if isinstance(event, Checked):
        return {Name("check"): _check_data(event.check)}
    return _fields(event)


def plan_data(plan: Plan) -> dict[str, Any]:
    """A plan as data, with its token."""
    data = _fields(plan)
    return {**data, "findings": _first(plan.findings), Name("token"): plan.token}


def plan_reference(plan: Plan | None) -> Mapping[str, Any] | None:
    """What an intent says about its plan."""
    if plan is None:
        return None
    names = ("run_id", "digest", "token", "rows_written", "counts", "money", "expires_at")
    return {Name(name): getattr(plan, name) for name in names}


def _check_data(check: Check) -> dict[str, Any]:
    data = _fields(check)
    count = len(check.findings)
    return {**data, "findings": _first(check.findings), Name("finding_count"): count}


def _first(findings: tuple[Finding, ...]) -> list[Finding]:
    return list(findings[:LOGGED_FINDINGS])


def _fields(value: Any) -> dict[str, Any]:
    return {Name(f.name): getattr(value, f.name) for f in dataclasses.fields(value)}
