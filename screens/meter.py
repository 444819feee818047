"""The figures of a running operation in words: phase, rows, rate, rest, batches, who blocks it."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from console import text
from screens import present
from screens.pace import View
from screens.words import counts

PHASES: Mapping[str, str] = {
    "read": "reading the CSV",
    "validate": "checking every line",
    "compare": "comparing with the live lines",
    "lock": "opening the run, locking the lines",
    "write": "writing lines and audit rows",
    "measure": "measuring what was written",
    "verify": "verifying",
    "duplicates": "grouping the lines by their keys",
}
"""What the operations call their phases, in words."""
MEGABYTE = 1_000_000


def facts(view: View) -> dict[str, Content | None]:
    """What is known about a running operation, by fact; None hides it."""
    total = present.joined("of", present.count(view.total)) if view.total else present.label("")
    return {
        "phase": present.label(PHASES.get(view.phase, view.phase)) if view.phase else None,
        "done": present.joined(present.count(view.done), total, view.unit)
        if view.done or view.total
        else None,
        "rate": present.label(_rate(view)) if view.rate > 0 else None,
        "left": _left(view),
        "elapsed": present.duration(view.elapsed),
        "written": counts(view.counts) if view.counts else None,
        "waits": present.label(f"! {view.waiting}", present.WARN) if view.waiting else None,
        "server": present.label(f"process {view.pid}") if view.pid else None,
        "batches": _batches(view),
    }


def _rate(view: View) -> str:
    if view.unit == "bytes":
        return f"{view.rate / MEGABYTE:,.1f} MB/s"
    return f"{view.rate:,.0f} {view.unit}/s"


def _left(view: View) -> Content | None:
    if view.state != "running":
        return None
    if view.waiting:
        return present.label("no estimate while it waits")
    eta = view.eta
    return present.joined("about", present.duration(eta)) if eta is not None else None


def _batches(view: View) -> Content | None:
    if not view.batches:
        return None
    last, slowest = view.batches[-1], max(view.batches)
    return present.label(
        f"{len(view.batches)}, last {text.duration(last)}, slowest {text.duration(slowest)}"
    )
