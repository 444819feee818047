"""One session as the screens see it: marks, log entries, commands and their operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.errors import BadInput
from console.operation import (
    Answer,
    Check,
    Checked,
    Command,
    Event,
    Finding,
    Operation,
    Outcome,
    Plan,
    Progress,
)
from console.runbooks import Runbook, Step
from console.session.chain import read, verify
from console.session.session import Session
from console.session.state import SessionState, Verdict
from screens import inputs, logview
from screens.ports import Entry, Field, Mark, Verb

if TYPE_CHECKING:
    from console.desk import Desk

OPERATIONS = ("duplicates", "upsert", "verify", "audit_trail", "rollback")
SETTLED: Mapping[str, Verdict] = {"applied": "APPLIED", "abandoned": "NOT APPLIED"}
WORDS: Mapping[Verdict, str] = {
    "APPLIED": "committed",
    "NOT APPLIED": "did not commit and cannot any more",
    "UNKNOWN": "still settling; ask again",
}


class SessionIncident:
    """A session of one runbook at one desk."""

    def __init__(self, session: Session, book: Runbook, desk: Desk) -> None:
        self._session = session
        self._book = book
        self._desk = desk
        desk.session_id = session.id

    @property
    def id(self) -> str:
        return self._session.id

    @property
    def runbook(self) -> Runbook:
        return self._book

    @property
    def environment(self) -> str:
        return self._desk.name

    @property
    def state(self) -> SessionState:
        """The fold of the log."""
        return self._session.state

    def leave(self) -> None:
        """Stop working without ending the session."""
        self._session.leave()

    def close(self) -> None:
        self._session.close()

    def marks(self) -> Mapping[str, Mark]:
        return logview.marks(self.state)

    def entries(self) -> Sequence[Entry]:
        return [logview.entry(record) for record in read(self._session.path)]

    def verify_log(self) -> Check:
        result = verify(self._session.path)
        answer: Answer = "pass" if result.ok else "fail"
        findings = tuple(Finding(f.kind, "error", f.message) for f in result.faults)
        return Check("Session log", answer, " ".join(result.sentences), findings)

    def attest(self, step: Step, evidence: str) -> None:
        self._session.attest(step.id, evidence)

    @property
    def last_applied(self) -> str:
        return inputs.last_run(self.state, applied=True)

    def fields(self, step: Step) -> Sequence[Field]:
        return inputs.fields(step, self.state, self._desk)

    def command(self, step: Step, values: Mapping[str, str]) -> Command:
        return inputs.command(step, values, self._desk)

    def decided(self, command: Command, decisions: Mapping[str, str]) -> Command:
        return inputs.decided(command, decisions)

    def decisions(self, command: Command) -> Mapping[str, str]:
        return inputs.decisions(command)

    def operation(self, command: Command) -> Operation:
        from console.billing.duplicates import DuplicatesOperation, FindDuplicates
        from console.billing.rollback import RollbackOperation, RollbackRun
        from console.billing.upsert import UpsertMissingLines, UpsertOperation
        from console.billing.verification import (
            AuditTrailOperation,
            ShowAuditTrail,
            VerifyRun,
            VerifyRunOperation,
        )

        match command:
            case FindDuplicates():
                return DuplicatesOperation(self._desk, command)
            case UpsertMissingLines():
                self._session.carry({"csv": str(command.csv)})
                return UpsertOperation(self._desk, command)
            case VerifyRun():
                return VerifyRunOperation(self._desk, command)
            case ShowAuditTrail():
                return AuditTrailOperation(self._desk, command)
            case RollbackRun():
                return RollbackOperation(self._desk, command)
            case _:
                raise BadInput(f"Nothing handles {type(command).__name__}.")

    def run(
        self,
        verb: Verb,
        operation: Operation,
        *,
        step: str,
        plan: Plan | None = None,
        outcome: Outcome | None = None,
    ) -> Iterator[Event]:
        return self._session.run(verb, operation, step=step, plan=plan, outcome=outcome)

    def settle(self) -> Iterator[Event]:
        """Ask the server about every run in doubt and write down what it says."""
        from console.database.ledger import settle

        said: list[str] = []
        open_ones = 0
        for intent in self.state.in_doubt:
            yield Progress(
                f"asking what became of {intent.run_id}; the server may still be ending it"
            )
            found = settle(self._desk, intent.run_id)
            verdict = SETTLED.get(found.verdict, "UNKNOWN")
            at = found.at or datetime.now(UTC)
            when = f" at {at:%H:%M:%S} UTC" if verdict == "APPLIED" else ""
            said.append(f"Run {intent.run_id}: {WORDS[verdict]}{when}.")
            open_ones += verdict == "UNKNOWN"
            self._session.settled(intent.run_id, verdict, at, said[-1])
        answer: Answer = "not_run" if open_ones else "pass"
        yield Checked(Check("Settle", answer, " ".join(said)))
