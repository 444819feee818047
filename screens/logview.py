"""What a session log says, in the words of the checklist and of the session view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from console.session.record import Record
from console.session.state import SessionState, StepState
from screens.ports import Entry, Mark, Standing

WORDS: Mapping[str, str] = {
    "pass": "passed",
    "warn": "passed with warnings",
    "fail": "the check failed",
    "planned": "planned",
    "APPLIED": "applied",
    "NOT APPLIED": "not applied",
    "REFUSED": "refused",
    "UNKNOWN": "not known yet",
    "not_run": "not run",
}


EVENTS: Mapping[str, str] = {
    "BackendKnown": "on the server",
    "BatchWritten": "batch written",
    "Checked": "answered",
    "CommitSent": "COMMIT sent",
    "Measured": "measured",
    "Planned": "planned",
    "Applied": "applied",
}


def marks(state: SessionState) -> Mapping[str, Mark]:
    """Where the steps stand; an apply without an end is in doubt."""
    found = {name: mark(step) for name, step in state.steps.items()}
    for intent in state.pending.values():
        if intent.step is not None:
            doubt = intent.verb == "apply"
            standing: Standing = "in_doubt" if doubt else "running"
            said = f"run {intent.run_id}" if doubt else intent.verb
            found[intent.step] = Mark(standing, said, intent.at)
    return found


def mark(step: StepState) -> Mark:
    """Where one step stands."""
    standing: Standing = "done"
    if step.status in ("failed", "open"):
        standing = "failed" if step.status == "failed" else "open"
    elif step.answer == "planned":
        standing = "planned"
    evidence = ""
    if step.status == "attested" or step.status == "skipped":
        standing, evidence = step.status, step.evidence
    said = (
        ""
        if evidence
        else ": ".join(filter(None, (WORDS.get(step.answer, step.answer), step.evidence)))
    )
    return Mark(standing, said, step.at, evidence)


def entry(record: Record) -> Entry:
    """One record as a line of the session view."""
    data = record.data
    return Entry(
        seq=record.seq,
        at=record.at,
        kind=record.kind,
        step=str(data.get("step") or ""),
        text=" ".join(filter(None, _said(record.kind, data))),
        hash=record.hash,
    )


def _said(kind: str, data: Mapping[str, Any]) -> Iterator[str]:
    match kind:
        case "event":
            yield EVENTS.get(data["type"], str(data["type"]))
            yield from _event_words(data["event"])
        case "intent" | "outcome" | "refused":
            yield from (str(data[n]) for n in ("verb", "operation", "run_id") if data.get(n))
            verdict = str(data.get("verdict") or "")
            yield WORDS.get(verdict, verdict)
            yield str(data.get("message") or "")
        case "started" | "resumed":
            yield from (str(data[n]) for n in ("operator", "runbook", "reason") if data.get(n))
        case "attested" | "skipped":
            yield str(data["evidence"])
        case _:
            yield from (f"{name} {_shown(value)}" for name, value in data.items() if value)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)


def _event_words(event: Mapping[str, Any]) -> Iterator[str]:
    inner = event.get("plan") or event.get("check") or event.get("outcome") or event
    for name in ("token", "answer", "summary", "run_id", "counts", "money", "pid", "seconds"):
        value = inner.get(name)
        if isinstance(value, Mapping):
            yield ", ".join(f"{key} {one}" for key, one in value.items())
        elif value:
            yield f"{name.replace('_', ' ')} {value}"
