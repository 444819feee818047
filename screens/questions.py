"""The words of the confirmation dialogs."""

from __future__ import annotations

from console.operation import Plan
from screens.confirm import Question

WRITTEN = frozenset({"insert", "update", "delete", "restore"})


def money_words(plan: Plan) -> str:
    """The money delta of a plan, every currency with its sign."""
    return ", ".join(f"{amount:+,.2f} {currency}" for currency, amount in plan.money.items())


def count_words(plan: Plan, written: bool = True) -> str:
    """How many rows of each kind a plan writes, or leaves as they are."""
    return ", ".join(
        f"{number:,} {kind}"
        for kind, number in plan.counts.items()
        if number and (kind in WRITTEN) == written
    )


def before_apply(plan: Plan) -> Question:
    """Say rows, money, target and what undoes it; production wants the typed token."""
    target = plan.target
    left = count_words(plan, written=False)
    lines = (
        ("Rows", f"{plan.rows_written:,} will be written: {count_words(plan) or 'none'}"),
        *((("Left", f"{left}; not touched"),) if left else ()),
        ("Money", money_words(plan) or "no change"),
        ("Target", f"{target.kind.upper()}  {target.environment}"),
        ("Server", f"{target.database} at {target.host}, {target.server_id}"),
        ("Run id", plan.run_id),
        ("Undo", plan.undo),
        *(("Note", note) for note in plan.notes),
    )
    token = plan.token if target.kind == "production" else ""
    return Question(f"Apply: {plan.title}?", lines, "Apply", target.kind, token)


def before_end(session: str) -> Question:
    """A closed session stays readable, and is never gone on with."""
    lines = (
        ("Session", session),
        ("Ends", "its log is closed; it can be read and verified, not gone on with"),
        ("Undo", "none; a new session can be begun at any time"),
    )
    return Question("End this session?", lines, "End", "quit")


def before_quit(running: str) -> Question:
    """Leaving while something runs means that it is stopped and rolled back first."""
    lines = (
        ("Running", running),
        ("Leaving", "asks it to stop, waits for the rollback, then quits"),
        ("Undo", "nothing of it is kept, unless COMMIT is already out"),
    )
    return Question("An operation is running. Stop it and leave?", lines, "Stop and leave", "quit")
