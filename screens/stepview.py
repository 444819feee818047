"""What the checklist says about a step: sign, standing, facts, contacts."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from console.runbooks import Contact, Runbook, Step
from screens import present
from screens.ports import Mark, Standing
from screens.words import paragraph

SIGNS: Mapping[Standing, tuple[str, str, str]] = {
    "open": ("·", "open", present.QUIET),
    "running": ("…", "running", present.ACCENT),
    "planned": ("◇", "planned, not applied", present.ACCENT),
    "done": ("✓", "done", present.GOOD),
    "failed": ("✗", "failed", present.FAIL),
    "stopped": ("!", "stopped, nothing was kept", present.WARN),
    "in_doubt": ("?", "in doubt: settle it first", present.WARN),
}
FACTS: Mapping[str, str] = {
    "evidence": "Evidence",
    "only_if": "Only if",
    "why": "Why",
    "does": "Does",
    "expected": "Expected",
    "stop_if": "Stop if",
    "tell": "Tell",
}


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
