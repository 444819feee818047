"""What a session has done: a pure fold over its log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import Any

from console.operation import Target
from console.session.facts import (
    Intent,
    PlanMade,
    RunApplied,
    SessionState,
    StepState,
    StepStatus,
    Verb,
    Verdict,
)
from console.session.record import Record, moment

__all__ = [
    "Intent",
    "PlanMade",
    "RunApplied",
    "SessionState",
    "StepState",
    "StepStatus",
    "Verb",
    "Verdict",
    "advance",
    "fold",
]

_GOOD = frozenset({"pass", "warn", "planned", "APPLIED"})
_SETTLED = frozenset({"APPLIED", "NOT APPLIED"})


def fold(records: Iterable[Record], start: SessionState | None = None) -> SessionState:
    """The state after the records; folding on from a prefix gives the same as folding them all."""
    return reduce(advance, records, start or SessionState())


def advance(state: SessionState, record: Record) -> SessionState:
    """The state after one more record; a kind it does not know only moves the head."""
    moved = replace(
        state,
        session=state.session or record.session,
        count=record.seq,
        head=record.hash,
        last_at=record.at,
    )
    handler = _HANDLERS.get(record.kind)
    return handler(moved, record) if handler else moved


def _started(state: SessionState, record: Record) -> SessionState:
    data = record.data
    return replace(
        state,
        operator=data["operator"],
        reason=data["reason"],
        target=Target(**data["target"]),
        runbook=data["runbook"],
        started_at=record.at,
    )


def _resumed(state: SessionState, record: Record) -> SessionState:
    return replace(state, operator=record.data["operator"])


def _intent(state: SessionState, record: Record) -> SessionState:
    data = record.data
    plan = data.get("plan") or {}
    intent = Intent(
        seq=record.seq,
        verb=data["verb"],
        operation=data["operation"],
        at=record.at,
        step=data["step"],
        run_id=data["run_id"],
        token=plan.get("token", ""),
        command=data["command"] or {},
    )
    return replace(
        state,
        plans=_plans_with_use(state, intent, plan) if intent.verb == "apply" else state.plans,
        pending={**state.pending, record.seq: intent},
        current_step=intent.step or state.current_step,
    )


def _plans_with_use(
    state: SessionState, intent: Intent, plan: Mapping[str, Any]
) -> Mapping[str, PlanMade]:
    made = state.plans.get(intent.token)
    if made is None:  # planned in another session
        made = PlanMade(
            token=intent.token,
            digest=plan["digest"],
            operation=intent.operation,
            run_id=intent.run_id,
            made_at=intent.at,
            expires_at=moment(plan["expires_at"]),
            rows_written=plan["rows_written"],
        )
    return {**state.plans, intent.token: replace(made, used=True)}


def _event(state: SessionState, record: Record) -> SessionState:
    intent = state.pending.get(record.data["intent"])
    if intent is None:
        return state
    if record.data["type"] == "CommitSent":
        sent = replace(intent, commit_sent=True)
        return replace(state, pending={**state.pending, intent.seq: sent})
    if record.data["type"] == "Planned":
        made = _plan_made(record, intent)
        return replace(state, plans={**state.plans, made.token: made})
    return state


def _plan_made(record: Record, intent: Intent) -> PlanMade:
    plan = record.data["event"]["plan"]
    return PlanMade(
        token=plan["token"],
        digest=plan["digest"],
        operation=plan["operation"],
        run_id=plan["run_id"],
        made_at=record.at,
        expires_at=moment(plan["expires_at"]),
        rows_written=plan["rows_written"],
        blocked=plan["blocked"],
        step=intent.step,
    )


def _outcome(state: SessionState, record: Record) -> SessionState:
    intent = state.pending.get(record.data["intent"])
    if intent is None:
        return state
    verdict, message = record.data["verdict"], record.data["message"]
    pending = {seq: i for seq, i in state.pending.items() if seq != intent.seq}
    if intent.verb == "apply":
        state = _run(state, intent, verdict, record.at, message)
        if verdict == "UNKNOWN":
            pending = dict(state.pending)
    status: StepStatus = "done" if verdict in _GOOD else "failed"
    step = StepState(status, message, verdict, record.at)
    return replace(_with_step(state, intent.step, step), pending=pending)


def _run(
    state: SessionState, intent: Intent, verdict: Verdict, at: datetime, message: str
) -> SessionState:
    before = state.runs.get(intent.run_id)
    if before and before.verdict == "APPLIED" and verdict != "APPLIED":
        return state  # a later refusal of the same run id does not undo that it was applied
    run = RunApplied(intent.run_id, intent.operation, verdict, at, intent.token, message)
    return replace(state, runs={**state.runs, intent.run_id: run})


def _settled(state: SessionState, record: Record) -> SessionState:
    run_id, verdict = record.data["run_id"], record.data["verdict"]
    if verdict not in _SETTLED:
        return state
    at, message = moment(record.data["at"]), record.data["message"]
    for intent in state.in_doubt:
        if intent.run_id == run_id:
            state = _run(state, intent, verdict, at, message)
            status: StepStatus = "done" if verdict == "APPLIED" else "failed"
            state = _with_step(state, intent.step, StepState(status, message, verdict, at))
    pending = {
        seq: i for seq, i in state.pending.items() if i.verb != "apply" or i.run_id != run_id
    }
    return replace(state, pending=pending)


def _with_step(state: SessionState, step: str | None, value: StepState) -> SessionState:
    if step is None:
        return state
    return replace(state, steps={**state.steps, step: value}, current_step=step)


def _attested(state: SessionState, record: Record) -> SessionState:
    value = StepState("attested", record.data["evidence"], "", record.at)
    return _with_step(state, record.data["step"], value)


def _skipped(state: SessionState, record: Record) -> SessionState:
    value = StepState("skipped", record.data["evidence"], "", record.at)
    return _with_step(state, record.data["step"], value)


def _at_step(state: SessionState, record: Record) -> SessionState:
    return replace(state, current_step=record.data["step"])


def _carried(state: SessionState, record: Record) -> SessionState:
    return replace(state, carried={**state.carried, **record.data["values"]})


def _closed(state: SessionState, _: Record) -> SessionState:
    return replace(state, closed=True)


_HANDLERS: Mapping[str, Callable[[SessionState, Record], SessionState]] = {
    "started": _started,
    "resumed": _resumed,
    "intent": _intent,
    "event": _event,
    "outcome": _outcome,
    "settled": _settled,
    "attested": _attested,
    "skipped": _skipped,
    "step": _at_step,
    "carried": _carried,
    "closed": _closed,
}
