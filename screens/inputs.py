"""What an operation has to be told: its form with what is known filled in, and its command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.errors import BadInput
from console.operation import Command
from console.runbooks import Step
from console.session.guard import propose_retry, propose_run_id, run_id_valid
from console.session.state import SessionState
from screens.ports import Field

if TYPE_CHECKING:
    from console.desk import Desk


def fields(step: Step, state: SessionState, desk: Desk) -> Sequence[Field]:
    """The fields of a step's form; empty when its operation needs nothing."""
    last = last_run(state)
    match step.operation:
        case "upsert":
            retry = bool(step.only_if and last)
            proposed = propose_retry(last) if retry else propose_run_id(datetime.now(UTC))
            again = [Field("retry_of", "Retry of", last, "the run tried again")] if retry else []
            return [
                Field("csv", "CSV file", _csv(state, desk), "path; ~ is your home"),
                Field("run_id", "Run id", proposed, "new for every try"),
                *again,
                Field("batch_size", "Batch size", str(desk.settings.billing.batch_size), "rows"),
            ]
        case "verify" | "audit_trail":
            return [Field("run_id", "Run id", last, "the run to verify")]
        case "rollback":
            undo_id = propose_run_id(datetime.now(UTC), "undo")
            return [
                Field("run_id", "Run to undo", last, "an undo can be undone as well"),
                Field("new_run_id", "Run id of the undo", undo_id, "new for every try"),
                Field("reason", "Reason", "", "for the audit trail and the notification"),
            ]
        case _:
            return []


def last_run(state: SessionState, applied: bool = False) -> str:
    """The newest applied run; when there is none, the newest tried one unless `applied`."""
    done = [run for run in state.runs.values() if run.verdict == "APPLIED"]
    tried = [] if applied else list(state.runs.values())
    return max(done or tried, key=lambda run: run.at).run_id if done or tried else ""


def _csv(state: SessionState, desk: Desk) -> str:
    if carried := state.carried.get("csv", ""):
        return str(carried)
    folder = Path(desk.environment.artifacts)
    found = sorted(folder.glob("*/missing_lines.csv"), key=lambda path: path.stat().st_mtime)
    return str(found[-1]) if found else ""


def command(step: Step, inputs: Mapping[str, str], desk: Desk) -> Command:
    """The command of a step; `BadInput` names the field that is wrong."""
    match step.operation:
        case "upsert":
            return _upsert(inputs)
        case "verify":
            from console.billing.verification import VerifyRun

            return VerifyRun(run_id_valid(inputs["run_id"]))
        case "audit_trail":
            from console.billing.verification import ShowAuditTrail

            return ShowAuditTrail(run_id_valid(inputs["run_id"]))
        case "rollback":
            return _rollback(inputs, desk)
        case "duplicates":
            from console.billing.duplicates import FindDuplicates

            return FindDuplicates()
        case _:
            raise BadInput(f"Step {step.section} is done by hand.")


def _upsert(inputs: Mapping[str, str]) -> Command:
    from console.billing.upsert import UpsertMissingLines

    path, size = Path(inputs["csv"]).expanduser(), inputs["batch_size"]
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    if not size.isascii() or not size.isdigit() or not int(size):
        raise BadInput("The batch size is a whole number above zero.")
    tried = inputs.get("retry_of", "")
    return UpsertMissingLines(
        path,
        run_id_valid(inputs["run_id"]),
        int(size),
        retry_of=run_id_valid(tried) if tried else "",
    )


def _rollback(inputs: Mapping[str, str], desk: Desk) -> Command:
    from console.billing.rollback import RollbackRun

    if not inputs["reason"]:
        raise BadInput("The reason is empty.", next_step="Say why the run is undone.")
    desk.reason = inputs["reason"]
    return RollbackRun(
        run_id=run_id_valid(inputs["run_id"]), new_run_id=run_id_valid(inputs["new_run_id"])
    )


def decided(command: Command, decisions: Mapping[str, str]) -> Command:
    """The same rollback with more of its conflicts decided."""
    from console.billing.rollback import RollbackRun

    if not isinstance(command, RollbackRun):
        raise BadInput("Only a rollback has conflicts to decide.")
    restore = {*command.restore, *_of(decisions, "restore")} - _of(decisions, "keep")
    keep = {*command.keep, *_of(decisions, "keep")} - _of(decisions, "restore")
    return replace(command, restore=tuple(sorted(restore)), keep=tuple(sorted(keep)))


def decisions(command: Command) -> Mapping[str, str]:
    """What a rollback was told about its conflicts, by key."""
    from console.billing.rollback import RollbackRun

    if not isinstance(command, RollbackRun):
        return {}
    return dict.fromkeys(command.keep, "keep") | dict.fromkeys(command.restore, "restore")


def _of(decisions: Mapping[str, str], decision: str) -> set[str]:
    return {key for key, decided in decisions.items() if decided == decision}
