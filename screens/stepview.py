"""What the checklist says about a step: sign, standing, facts, contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from textual.content import Content

from console.operation import Check
from console.runbooks import Contact, Runbook, Step
from screens import present
from screens.ports import Mark, Place, Standing
from screens.words import paragraph

SIGNS: Mapping[Standing, tuple[str, str, str]] = {
    "open": ("·", "open", present.QUIET),
    "running": ("…", "running", present.ACCENT),
    "planned": ("◇", "planned, not applied", present.ACCENT),
    "done": ("✓", "done", present.GOOD),
    "failed": ("✗", "failed", present.FAIL),
    "stopped": ("!", "stopped, nothing was kept", present.WARN),
    "in_doubt": ("?", "in doubt: x settles it", present.WARN),
    "attested": ("✎", "done by hand, attested", present.ACCENT),
    "skipped": ("↷", "skipped", present.QUIET),
}
BEHIND = frozenset({"done", "attested", "skipped"})
WRITING = frozenset({"upsert", "rollback"})
NEEDS: Mapping[str, str] = {
    "duplicates": "duplicates",
    "upsert": "upsert_missing_lines",
    "verify": "verify_run",
    "audit_trail": "verify_run",
    "rollback": "rollback_run",
}
"""The operation of a step, by the name that the preflight gives it."""
FACTS: Mapping[str, str] = {
    "evidence": "Evidence",
    "only_if": "Only if",
    "why": "Why",
    "does": "Does",
    "expected": "Expected",
    "stop_if": "Stop if",
    "tell": "Tell",
}


def here(steps: Sequence[Step], marks: Mapping[str, Mark]) -> int:
    """Where the operator is: what is in doubt, else what is unfinished, else what comes next.

    What comes next is the first open step of the straight path after the newest one that is done.
    """
    order = [marks.get(step.id, Mark()) for step in steps]
    for wanted in (("in_doubt",), ("failed", "stopped", "planned", "running")):
        found = [index for index, mark in enumerate(order) if mark.standing in wanted]
        if found:
            return found[0]
    ahead = [n for n, step in enumerate(steps) if not step.only_if and order[n].standing == "open"]
    newest = max(range(len(order)), key=lambda n: _touched(order[n]))
    later = [n for n in ahead if n > newest and marks]
    return (later or ahead or [len(steps) - 1])[0]


def undoing(book: Runbook) -> Step | None:
    """The step that undoes a run."""
    return next((step for step in book.steps if step.operation == "rollback"), None)


def tally(steps: Sequence[Step], marks: Mapping[str, Mark]) -> str:
    """How many steps are behind the operator."""
    behind = sum(1 for mark in marks.values() if mark.standing in BEHIND)
    return f"{behind} of {len(steps)} done"


def why_disabled(step: Step, place: Place | None, preflight: Check | None) -> str:
    """Why the environment or the server does not allow a step, as the preflight found."""
    need = NEEDS.get(step.operation or "")
    if place is not None and place.read_only and step.operation in WRITING:
        return "the environment is read-only"
    disabled = preflight.figures.get("disabled", {}) if preflight is not None else {}
    return " ".join(disabled.get(need, ()))


def _touched(mark: Mark) -> datetime:
    return mark.at or datetime.min.replace(tzinfo=UTC)


def line(step: Step, mark: Mark, here: bool) -> Content:
    """A step as a line of the checklist; where the operator is has a pointer."""
    sign, _, style = SIGNS[mark.standing]
    return present.joined(
        present.label("▶" if here else " ", present.ACCENT),
        present.label(sign, style),
        present.label(f"{step.section:<3}", present.QUIET),
        present.label(step.title, present.QUIET if step.only_if else ""),
    )


def standing(step: Step, mark: Mark, here: bool) -> Content:
    """Where a step stands, in words, and how it is done."""
    sign, word, style = SIGNS[mark.standing]
    how = "automatic: ⏎ runs it" if step.kind == "automatic" else "by hand: ⏎ attests it"
    if mark.standing == "in_doubt":
        how = "x asks the server whether it was committed"
    lines = [present.joined(present.label(f"{sign} {word}", style), mark.at or "")]
    if mark.summary:
        lines.append(present.label(mark.summary))
    pointer = present.label("▶ you are here" if here else "", present.ACCENT)
    return paragraph(*lines, present.joined(present.label(how, present.QUIET), pointer))


def facts(step: Step, mark: Mark) -> dict[str, Content | None]:
    """What the panel says about a step, by fact; None hides it."""
    contacts = paragraph(*(present.label(contact_line(c)) for c in step.contacts))
    return {
        "evidence": present.label(mark.evidence) if mark.evidence else None,
        "only_if": present.label(step.only_if, present.WARN) if step.only_if else None,
        "why": present.label(step.why),
        "does": present.label(step.does),
        "expected": present.label(step.expected, present.GOOD),
        "stop_if": present.label(step.stop_if, present.FAIL),
        "tell": contacts if step.contacts else None,
    }


def contact_line(contact: Contact) -> str:
    """Channel, who, and the words of the template."""
    said = ": ".join(part for part in (contact.who, contact.template) if part)
    return f"{contact.channel}: {said}"


def reference(book: Runbook) -> str:
    """Contacts, escalation levels and standing rules of a runbook, as text."""
    contacts = [contact_line(contact) for contact in book.contacts]
    levels = [f"{e.level}: {e.criterion} → {e.action}" for e in book.escalation]
    parts = [("Contacts", contacts), ("Escalation", levels), ("Rules", list(book.rules))]
    return "\n\n".join("\n".join((word, *lines)) for word, lines in parts if lines)
