"""What session logs say, for people and as documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from console.cli.reading import shown
from console.document_parts import environment_part, finding_parts, plain
from console.documents import (
    LogCheckDocument,
    SessionDocument,
    SessionListDocument,
    SessionPart,
    SessionRow,
    Status,
)
from console.errors import CouldNotRun
from console.operation import Finding
from console.session.chain import Anchor, VerifyResult, verify
from console.session.directory import SessionSummary, find, sessions
from console.session.log import read
from console.session.state import SessionState, fold

if TYPE_CHECKING:
    from pathlib import Path

    from console.cli.work import Call
    from console.session.facts import Intent


def list_sessions(call: Call) -> int:
    """Print the sessions of the folder."""
    found = sessions(call.session_dir)
    head = ("session", "last", "operator", "environment", "step", "state")
    call.out.table(
        head,
        [
            (s.id, shown(s.last), s.operator, s.environment, s.current_step or "", _state(s))
            for s in found
        ],
    )
    call.out.document(
        SessionListDocument(
            operation="session_list",
            status="warn" if any(s.fault or s.in_doubt for s in found) else "pass",
            sessions=[_row(summary) for summary in found],
            **_times(call),
        )
    )
    return 0


def show_session(call: Call, session_id: str) -> int:
    """Print what one session has done; 1 where its log was altered and so proves nothing."""
    path = find(call.session_dir, session_id)
    chain = verify(path)
    report(call, path, folded(path), "session_show", _chain_findings(chain), altered=not chain.ok)
    for sentence in chain.not_proven:
        call.out.note(sentence)
    return 0 if chain.ok else 1


def folded(path: Path) -> SessionState:
    """The state that a log tells; `CouldNotRun` where it cannot be understood."""
    try:
        return fold(read(path))
    except (KeyError, TypeError, ValueError) as error:
        raise CouldNotRun(
            f"{path} holds a record that is not understood: {error!r}.",
            next_step=f"Look at it with: ops-console session verify {path.stem}",
        ) from error


def report(
    call: Call,
    path: Path,
    state: SessionState,
    operation: str,
    findings: Sequence[Finding],
    *,
    altered: bool = False,
) -> None:
    """Print a session's state; a run in doubt is a warning, an altered log proves nothing."""
    out = call.out
    out.result(f"Session {state.session} by {state.operator} on {state.environment}")
    out.result(f"  started {shown(state.started_at)}, last {shown(state.last_at)}")
    out.result(f"  reason: {state.reason or '(none)'}")
    for name, step in state.steps.items():
        out.result(f"  step {name}: {step.status} {step.evidence}".rstrip())
    for plan in state.plans.values():
        used = "used" if plan.used else f"until {shown(plan.expires_at)}"
        out.result(f"  plan {plan.token} of {plan.operation}, run {plan.run_id}: {used}")
    for run in state.runs.values():
        out.result(f"  run {run.run_id}: {run.verdict} at {shown(run.at)} {run.message}".rstrip())
    found = (*findings, *(_doubt(intent, state.session) for intent in state.in_doubt))
    out.findings(found)
    status: Status = "fail" if altered else "warn" if state.in_doubt else "pass"
    out.document(
        SessionDocument(
            operation=operation,
            status=status,
            environment=environment_part(state.target) if state.target else None,
            session=SessionPart(log=str(path), head=state.head),
            findings=finding_parts(found),
            finding_count=len(found),
            id=state.session,
            operator=state.operator,
            reason=state.reason,
            closed=state.closed,
            current_step=state.current_step,
            steps={name: plain(asdict(step)) for name, step in state.steps.items()},
            plans=[plain(asdict(plan)) for plan in state.plans.values()],
            runs=[plain(asdict(run)) for run in state.runs.values()],
            in_doubt=[intent.run_id for intent in state.in_doubt],
            **_times(call),
        )
    )


def verify_log(call: Call, session_id: str, anchors: Sequence[tuple[int, str]]) -> int:
    """Check the chain of one log; 1 where it does not hold.

    Where a target is named, the heads that its ledger has kept are compared as well.
    """
    path = find(call.session_dir, session_id)
    result = verify(path, [*anchors, *_kept_heads(call, path.stem)])
    for sentence in result.sentences:
        call.out.result(sentence)
    found = _chain_findings(result)
    status: Status = "fail" if result.faults else "warn" if found else "pass"
    call.out.document(
        LogCheckDocument(
            operation="session_verify",
            status=status,
            session=SessionPart(log=str(path), head=result.head.hash),
            findings=finding_parts(found),
            finding_count=len(found),
            records=result.records,
            compared_with=[str(anchor) for anchor in result.anchors_compared],
            not_proven=list(result.not_proven),
            **_times(call),
        )
    )
    return 0 if result.ok else 1


def _kept_heads(call: Call, session_id: str) -> list[Anchor]:
    """The heads of this log in the ledger of the target; none where no target is named."""
    if call.options.env is None and call.options.database_url is None:
        return []
    from console.cli.target import open_desk
    from console.database.ledger import log_heads

    desk = open_desk(call.options, call.out.note)
    if desk.schema.ledger_closed:
        raise CouldNotRun(desk.schema.ledger_fault)
    with desk.reader("reads") as connection:
        heads = log_heads(connection, session_id) if desk.schema.ledger else []
    return [Anchor(head, source=f"ledger, run {run_id}") for run_id, head in heads]


def _chain_findings(result: VerifyResult) -> list[Finding]:
    """What is wrong with a log's chain; a torn last line is a crash's, not a forger's."""
    found = [Finding(f.kind, "error", f.message, line=f.line) for f in result.faults]
    if result.torn_bytes:
        found.append(Finding("torn", "warning", "The last line is torn; opening repairs it."))
    return found


def _doubt(intent: Intent, session: str) -> Finding:
    return Finding(
        "in_doubt",
        "warning",
        f"Whether run {intent.run_id} has been applied is in doubt.",
        f"Settle it: ops-console session resume {session}",
        intent.run_id,
    )


def _state(summary: SessionSummary) -> str:
    if summary.fault:
        return summary.fault
    if summary.in_doubt:
        return f"IN DOUBT: {', '.join(summary.in_doubt)}"
    return "closed" if summary.closed else "open"


def _row(summary: SessionSummary) -> SessionRow:
    return SessionRow(
        id=summary.id,
        log=str(summary.path),
        operator=summary.operator,
        reason=summary.reason,
        environment=summary.environment,
        runbook=summary.runbook,
        current_step=summary.current_step,
        started_at=summary.started,
        last_at=summary.last,
        closed=summary.closed,
        in_doubt=list(summary.in_doubt),
        records=summary.records,
        fault=summary.fault,
    )


def _times(call: Call) -> Mapping[str, Any]:
    return {"started_at": call.started_at, "finished_at": datetime.now(UTC)}
