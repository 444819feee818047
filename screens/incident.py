"""One session as the screens see it: marks, log entries, commands and their operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
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
from console.session.guard import propose_retry, propose_run_id, run_id_valid
from console.session.session import Session
from console.session.state import SessionState, Verdict
from screens import logview
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

    def fields(self, step: Step) -> Sequence[Field]:
        """What has to be said before the step's operation, with what is known filled in."""
        last = self._last_run()
        match step.operation:
            case "upsert":
                retry = bool(step.only_if and last)
                proposed = propose_retry(last) if retry else propose_run_id(datetime.now(UTC))
                size = str(self._desk.settings.billing.batch_size)
                return [
                    Field("csv", "CSV file", self._carried("csv") or self._newest_csv()),
                    Field("run_id", "Run id", proposed, "new for every try"),
                    Field("batch_size", "Batch size", size, "rows per batch"),
                ]
            case "verify" | "audit_trail":
                return [Field("run_id", "Run id", last, "the run to verify")]
            case "rollback":
                return [
                    Field("run_id", "Run to undo", last),
                    Field("new_run_id", "Run id of the undo", self._undo_id()),
                    Field("reason", "Reason", "", "for the audit trail and the notification"),
                ]
            case _:
                return []

    def _carried(self, name: str) -> str:
        return str(self.state.carried.get(name, ""))

    def _newest_csv(self) -> str:
        folder = Path(self._desk.environment.artifacts)
        found = sorted(folder.glob("*/missing_lines.csv"), key=lambda path: path.stat().st_mtime)
        return str(found[-1]) if found else ""

    def _last_run(self) -> str:
        applied = [run.run_id for run in self.state.runs.values() if run.verdict == "APPLIED"]
        tried = list(self.state.runs)
        return (applied or tried or [""])[-1]

    def _undo_id(self) -> str:
        return propose_run_id(datetime.now(UTC), "undo")

    def command(self, step: Step, inputs: Mapping[str, str]) -> Command:
        match step.operation:
            case "upsert":
                return self._upsert(inputs)
            case "verify":
                from console.billing.verification import VerifyRun

                return VerifyRun(run_id_valid(inputs["run_id"]))
            case "audit_trail":
                from console.billing.verification import ShowAuditTrail

                return ShowAuditTrail(run_id_valid(inputs["run_id"]))
            case "rollback":
                return self._rollback(inputs)
            case "duplicates":
                from console.billing.duplicates import FindDuplicates

                return FindDuplicates()
            case _:
                raise BadInput(f"Step {step.section} is done by hand.")

    def _upsert(self, inputs: Mapping[str, str]) -> Command:
        from console.billing.upsert import UpsertMissingLines

        path, size = Path(inputs["csv"]).expanduser(), inputs["batch_size"]
        if not path.is_file():
            raise BadInput(f"There is no file {path}.")
        if not size.isascii() or not size.isdigit() or not int(size):
            raise BadInput("The batch size is a whole number above zero.")
        return UpsertMissingLines(path, run_id_valid(inputs["run_id"]), int(size))

    def _rollback(self, inputs: Mapping[str, str]) -> Command:
        from console.billing.rollback import RollbackRun

        if not inputs["reason"]:
            raise BadInput("The reason is empty.", next_step="Say why the run is undone.")
        self._desk.reason = inputs["reason"]
        return RollbackRun(
            run_id=run_id_valid(inputs["run_id"]), new_run_id=run_id_valid(inputs["new_run_id"])
        )

    def decided(self, command: Command, decisions: Mapping[str, str]) -> Command:
        from console.billing.rollback import RollbackRun

        if not isinstance(command, RollbackRun):
            raise BadInput("Only a rollback has conflicts to decide.")
        restore = {*command.restore, *_of(decisions, "restore")} - _of(decisions, "keep")
        keep = {*command.keep, *_of(decisions, "keep")} - _of(decisions, "restore")
        return replace(command, restore=tuple(sorted(restore)), keep=tuple(sorted(keep)))

    def undo(self, operation: Operation, outcome: Outcome) -> Command:
        from console.billing.rollback import RollbackRun

        command = operation.undo(outcome)
        if isinstance(command, RollbackRun) and not command.new_run_id:
            return replace(command, new_run_id=self._undo_id())
        return command

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
            yield Progress(f"settle {intent.run_id}")
            found = settle(self._desk, intent.run_id)
            verdict = SETTLED.get(found.verdict, "UNKNOWN")
            at = found.at or datetime.now(UTC)
            when = f" at {at:%H:%M:%S} UTC" if verdict == "APPLIED" else ""
            said.append(f"Run {intent.run_id}: {WORDS[verdict]}{when}.")
            open_ones += verdict == "UNKNOWN"
            self._session.settled(intent.run_id, verdict, at, said[-1])
        answer: Answer = "not_run" if open_ones else "pass"
        yield Checked(Check("Settle", answer, " ".join(said)))


def _of(decisions: Mapping[str, str], decision: str) -> set[str]:
    return {key for key, decided in decisions.items() if decided == decision}
