"""`session resume`: what became of a run in doubt is found out, never guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.cli.session_reports import folded, report
from console.cli.target import BY_HAND, open_desk
from console.database.ledger import Settled, settle
from console.errors import BadInput, Refused
from console.operation import Finding
from console.session.directory import find
from console.session.session import Session
from console.text import when

if TYPE_CHECKING:
    from console.cli.work import Call
    from console.desk import Desk
    from console.session.state import SessionState, Verdict

_VERDICTS: dict[str, Verdict] = {"applied": "APPLIED", "abandoned": "NOT APPLIED"}


def resume_session(call: Call, session_id: str) -> int:
    """Settle every run in doubt; 3 where one still cannot be known."""
    path = find(call.session_dir, session_id)
    before = folded(path)
    desk = _desk(call, before)
    with Session.resume(path, operator=desk.operator, environment=desk.environment) as session:
        runs = dict.fromkeys(intent.run_id for intent in session.state.in_doubt)
        settled = [_settle(session, desk, run_id) for run_id in runs]
        if before.runbook is None and not session.state.in_doubt:
            session.close()
        state = session.state
    call.target = state.target
    report(call, path, state, "session_resume", [_finding(one) for one in settled])
    return 3 if state.in_doubt else 0


def _desk(call: Call, state: SessionState) -> Desk:
    """A desk at the session's own database; any other one is refused."""
    options = call.options
    if options.env is None and options.database_url is None:
        if state.environment in ("", BY_HAND):
            raise BadInput(
                "The session's target was given by hand.",
                next_step="Give the same --database-url again.",
            )
        options = replace(options, env=state.environment)
    desk = open_desk(options, call.out.note)
    target, known = desk.target, state.target
    if known is None or (target.server_id, target.database) != (known.server_id, known.database):
        raise Refused(
            "This is not the database that the session worked on.",
            next_step="Name the session's own environment.",
        )
    return desk


def _settle(session: Session, desk: Desk, run_id: str) -> Settled:
    settled = settle(desk, run_id)
    verdict = _VERDICTS.get(settled.verdict, "UNKNOWN")
    session.settled(run_id, verdict, settled.at or desk.now(), _sentence(settled))
    return settled


def _sentence(settled: Settled) -> str:
    if settled.verdict == "applied":
        return f"Run {settled.run_id} committed at {when(settled.at)}." if settled.at else "It did."
    if settled.verdict == "abandoned":
        return f"Run {settled.run_id} did not commit and cannot any more."
    return f"Run {settled.run_id} is still settling: the server could not be asked in time."


def _finding(settled: Settled) -> Finding:
    known = settled.verdict != "unknown"
    step = "" if known else "Try again when the server is reachable."
    severity = "info" if known else "error"
    return Finding(settled.verdict, severity, _sentence(settled), step, settled.run_id)  # type: ignore[arg-type]  # both are severities
