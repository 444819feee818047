"""The three runbooks as data: steps, and the operations some of them run."""

from __future__ import annotations

from console.runbooks.billing import BILLING
from console.runbooks.ofx import OFX
from console.runbooks.paid_amount import PAID_AMOUNT
from console.runbooks.step import Contact, Escalation, Runbook, Step

RUNBOOKS: tuple[Runbook, ...] = (BILLING, PAID_AMOUNT, OFX)

__all__ = ["RUNBOOKS", "Contact", "Escalation", "Runbook", "Step", "runbook"]


def runbook(runbook_id: str) -> Runbook:
    """Return a runbook by id; `KeyError` when there is none."""
    return {book.id: book for book in RUNBOOKS}[runbook_id]
