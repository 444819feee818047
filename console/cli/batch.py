"""`batch-upsert`: the runbook's own tool (section 3), flag for flag and line for line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli.arguments import hide_password
from console.cli.options import BATCH, FILE, retry_option
from console.errors import BadInput, Refused

if TYPE_CHECKING:
    from console.cli.work import Call, Work
    from console.cli.writing import Planned
    from console.operation import Check, Finding, Operation, Outcome, Plan


@click.command("batch-upsert")
@click.option("--csv", required=True, type=FILE, help="The file of missing lines.")
@click.option("--run-id", required=True, metavar="ID", help="Names the run in the audit trail.")
@click.option("--database-url", metavar="URL", help="The target, where no --env names it.")
@click.option("--batch-size", type=BATCH, help="Rows of a batch; default as configured, 50000.")
@click.option("--dry-run", is_flag=True, help="Compare with the live rows and write nothing.")
@retry_option
@click.option("--apply", "token", metavar="TOKEN", help="The plan's token; production wants it.")
@click.pass_obj
def batch_upsert(
    call: Call,
    csv: Path,
    run_id: str,
    database_url: str | None,
    batch_size: int | None,
    dry_run: bool,
    retry_of: str,
    token: str | None,
) -> int:
    """Upsert missing lines in one go: plan, apply, verify (section 3 of the billing runbook)."""
    from console.cli.billing import upsert_of
    from console.cli.writing import document, exit_code, plan_shown

    if dry_run and token is not None:
        raise BadInput("--dry-run and --apply exclude each other.")
    if database_url is not None:
        _take_url(call, database_url)
    make = upsert_of(csv, run_id, batch_size, retry_of)
    made = plan_shown(call, token)
    outcome = check = None
    with call.work() as work:
        _say(call, f"Loading CSV: {csv.name}")
        operation = make(work)
        try:
            planned = _plan(call, work, operation)
            if _may_write(call, planned, dry_run):
                _require_token(work, planned.plan, made)
                outcome = work.apply(operation, planned.plan)
                check = work.verify(operation, outcome)
        finally:
            operation.close()
    if outcome is not None and check is not None:
        _say_applied(call, planned, outcome, check)
    document(call, planned, outcome, check)
    return exit_code(planned, check)


def _take_url(call: Call, url: str) -> None:
    hide_password(url)
    before = call.options.database_url
    if before is not None and before != url:
        raise BadInput("--database-url is given twice, with two values.")
    call.options = replace(call.options, database_url=url)


def _say(call: Call, text: str) -> None:
    call.out.result(f"[batch_upsert] {text}")


def _plan(call: Call, work: Work, operation: Operation) -> Planned:
    from console.cli.writing import Planned, report_findings

    plan = work.plan(operation)
    _say(call, f"COPY streamed {sum(plan.counts.values())} rows into tmp_invoice_lines")
    findings, undecided = report_findings(call, operation, _open)
    return Planned(plan, (), findings, undecided)


def _open(_: Finding) -> bool:
    return True


def _may_write(call: Call, planned: Planned, dry_run: bool) -> bool:
    """Whether the plan may be applied; says why where it may not."""
    counts, notes = planned.plan.counts, planned.plan.notes
    inserted, updated = counts.get("insert", 0), counts.get("update", 0)
    same = counts.get("noop", 0)
    for note in notes:
        call.out.note(note)
    if planned.undecided:
        held = counts.get("conflict", 0) + counts.get("rejected", 0)
        _say(call, f"Nothing was written: {held} of {sum(counts.values())} rows need a human.")
        return False
    if dry_run:
        _say(
            call,
            f"Dry run: {inserted} would be inserted, {updated} updated, {same} are already "
            "there; nothing was written",
        )
        _say(call, "Done.")
        return False
    if planned.plan.blocked:
        call.out.note(f"Nothing was written: {planned.plan.blocked}")
        return False
    if not planned.plan.rows_written:
        same_lines = f"{same} are already there; nothing was written, the run id is still free"
        _say(call, f"Upsert complete: 0 inserted, 0 updated; {same_lines}")
        _say(call, "Done.")
        return False
    return True


def _require_token(work: Work, plan: Plan, made: object) -> None:
    from console.cli.writing import require_same
    from console.session.state import PlanMade

    if isinstance(made, PlanMade):
        require_same(made, plan)
    elif work.desk.environment.kind == "production":
        raise Refused(
            f"Environment {work.desk.name} is production; nothing was written.",
            next_step=f"Read the plan, then run the same command with --apply {plan.token}",
        )


def _say_applied(call: Call, planned: Planned, outcome: Outcome, check: Check) -> None:
    from console.cli.reading import verdict

    counts, milliseconds = outcome.counts, round(outcome.seconds * 1000)
    written = f"{counts.get('insert', 0)} inserted, {counts.get('update', 0)} updated"
    _say(call, f"Upsert complete: {written} ({milliseconds}ms)")
    _say(call, f"Audit logs written for run_id={outcome.run_id}")
    # The runbook's lines stay as they are; what goes beyond them is said beside them.
    call.out.note(verdict(check))
    call.out.findings(check.findings)
    call.out.note(f"Undo: {planned.plan.undo}")
    _say(call, "Done.")
