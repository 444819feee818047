"""A plan and its outcome in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from console.cli.reading import shown, verdict
from console.text import money, when

if TYPE_CHECKING:
    from console.cli.output import Output
    from console.operation import Check, Outcome, Plan, PlanRow

_ORDER = ("insert", "update", "delete", "restore", "noop", "conflict", "rejected")


def counts_text(counts: Mapping[str, int]) -> str:
    """Counts as words, what is written first: `insert 120, update 8`."""
    ordered = {kind: counts[kind] for kind in _ORDER if kind in counts} | dict(counts)
    return ", ".join(f"{kind} {number:,}" for kind, number in ordered.items()) or "nothing"


def money_text(plan: Plan) -> str:
    """The money that a plan moves, by currency."""
    return ", ".join(f"{currency} {money(amount)}" for currency, amount in plan.money.items())


def plan(out: Output, plan: Plan) -> None:
    """What the plan does, and where."""
    target = plan.target
    out.result(f"{plan.title} as run {plan.run_id}")
    out.result(f"  target: {target.environment} ({target.kind}), {target.database} @ {target.host}")
    out.result(f"  rows:   {counts_text(plan.counts)}")
    out.result(f"  money:  {money_text(plan)}")
    for note in plan.notes:
        out.result(f"  note:   {note}")


def rows(out: Output, plan: Plan, rows: Sequence[PlanRow]) -> None:
    """One page of the plan's rows."""
    if rows:
        head = ("key", "operation", "change", "reason")
        out.table(head, [(r.key, r.operation, _change(r), r.reason) for r in rows])
        if len(rows) < (total := sum(plan.counts.values())):
            out.note(f"These are {len(rows):,} of {total:,} rows; see --page and --page-size.")


def _change(row: PlanRow) -> str:
    """What differs, column by column; a line that comes or goes by what a human knows it by.

    A row with a `current` belongs to a rollback: `before` is what comes back, `after` what the run
    had written.
    """
    old, new = row.before, row.after
    if row.current is not None:
        old, new = (row.current, old) if row.operation == "restore" else (new, row.current)
    if row.operation == "delete" or old is None or new is None:
        image = row.current or new or old or {}
        return shown([image.get(name) for name in ("line_type", "description", "amount")])
    differing = [name for name in new if name in old and old[name] != new[name]]
    return "; ".join(f"{name}: {shown(old[name])} -> {shown(new[name])}" for name in differing)


def planned(out: Output, plan: Plan, undecided: int) -> None:
    """What can be done with the plan now."""
    if undecided:
        out.note(f"{undecided} findings need a human; those rows stay as they are.")
    out.note("Planned; nothing was written.")
    if plan.blocked:
        out.note(f"The plan cannot be applied: {plan.blocked}")
        return
    if not plan.rows_written:
        out.note("There is nothing to write, so there is nothing to apply.")
        return
    out.result(f"  token:  {plan.token}")
    until = when(plan.expires_at)
    out.note(
        f"Until {until}, the same command with --apply {plan.token} applies exactly this plan."
    )


def applied(out: Output, plan: Plan, undecided: int, outcome: Outcome, check: Check) -> None:
    """What was done, whether it was verified, and what undoes it."""
    if undecided:
        out.note(f"{undecided} rows with findings were left as they are.")
    out.result(f"Applied as run {outcome.run_id}: {counts_text(outcome.counts)}")
    out.result(f"  committed: {when(outcome.committed_at)}, transaction {outcome.transaction_id}")
    out.result(f"  {verdict(check)}")
    out.findings(check.findings)
    out.note(f"Undo: {plan.undo}")
