"""What each class of a rollback's rows means, and the rows as those of a plan."""

from __future__ import annotations

from collections.abc import Sequence

from console.database.connect import Row
from console.operation import Finding, PlanRow, Severity

_MEANING: dict[str, tuple[str, str]] = {
    "changed": (
        "the line was changed since the run",
        "Compare the three versions and decide: keep the current one, or restore.",
    ),
    "gone": (
        "the line has been deleted since the run",
        "Compare the versions and decide: leave it deleted, or restore.",
    ),
    "referenced": ("another table points at the line", "Remove the reference first."),
    "merged": ("a merge of duplicates counts on the line", "Undo the merge first."),
    "key_taken": ("another line has taken its key since", "Decide between the two lines by hand."),
    "closed": ("its invoice is cancelled or its month locked", "Have the period opened first."),
    "no_invoice": ("its invoice is gone", "Nothing to restore it to; review by hand."),
    "manual": (
        "the run kept no true image of the line before it",
        "Needs manual review, as the runbook says: find the old value elsewhere.",
    ),
    "unreadable": ("its audit row names no single line", "Needs manual review."),
}


def counts(totals: Sequence[Row]) -> dict[str, int]:
    """Rows by what is written (delete, restore, insert) and, for the rest, by class."""
    found: dict[str, int] = {}
    for row in totals:
        kind = row["act"] if row["chosen"] else row["class"]
        found[kind] = found.get(kind, 0) + row["rows"]
    return found


def plan_row(row: Row) -> PlanRow:
    """One row of the plan: what the run left, what is there now, and what comes back."""
    kind = row["act"] if row["chosen"] else row["class"]
    text = _MEANING.get(row["class"], ("", ""))[0]
    return PlanRow(
        number=row["n"],
        key=row["record"],
        operation=kind,
        before=row["before"],
        after=row["after"],
        current=row["current"],
        reason=text,
        selected=row["chosen"],
    )


def finding(row: Row) -> Finding:
    """A row that is not undone by itself, with its reason and what to do."""
    text, step = _MEANING[row["class"]]
    decided = " (decided: restore)" if row["chosen"] else ""
    severity: Severity = "info" if row["chosen"] else "warning"
    return Finding(row["class"], severity, f"{row['record']}: {text}{decided}", step, row["record"])
