"""`preflight` and `billing`: the steps of the billing reconciliation runbook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli.options import (
    BATCH,
    FILE,
    Paging,
    remember_command,
    retry_option,
    run_id_option,
    writing,
)

if TYPE_CHECKING:
    from console.cli.work import Call, Work
    from console.desk import Desk
    from console.operation import Finding, Operation

SELECT = click.option(
    "--select", multiple=True, metavar="FILE|KEY", help="Only these rows; repeatable."
)


@click.command()
@click.pass_obj
def preflight(call: Call) -> int:
    """What this database is, and what can be done with it."""

    def make(desk: Desk) -> Operation:
        from console.billing.requirements import REQUIREMENTS
        from console.database.preflight import Preflight, PreflightOperation

        return PreflightOperation(desk, Preflight(REQUIREMENTS))

    from console.cli.reading import read

    return read(call, make)


@click.group()
@click.pass_context
def billing(context: click.Context) -> None:
    """The billing reconciliation runbook."""
    remember_command(context)


@billing.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True)
@click.pass_obj
def duplicates(call: Call, limit: int) -> int:
    """The duplicate precheck (1.2), by the database's key and by the console's own."""

    def make(desk: Desk) -> Operation:
        from console.billing.duplicates import DuplicatesOperation, FindDuplicates

        return DuplicatesOperation(desk, FindDuplicates(limit))

    from console.cli.reading import read

    return read(call, make, ())


@billing.command("validate-artifacts")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.pass_obj
def validate(call: Call, folder: Path) -> int:
    """The artifacts of a run (1.3): 3 to 6 as in the runbook, 1 where parity has not passed."""
    from console.cli.artifacts import validate_artifacts

    return validate_artifacts(call, folder)


@billing.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)
@click.pass_obj
def runs(call: Call, limit: int) -> int:
    """The newest runs, those of the older tools beside the console's own."""

    def make(desk: Desk) -> Operation:
        from console.billing.runs import ListRuns, RunsOperation

        return RunsOperation(desk, ListRuns(limit))

    from console.cli.reading import read

    columns = ("run_id", "verdict", "operation", "counts", "money", "operator", "marked_at")
    return read(call, make, columns)


@billing.command()
@run_id_option
@click.pass_obj
def verify(call: Call, run_id: str) -> int:
    """Verify what a run left behind (4.1), by another path than the change."""

    def make(desk: Desk) -> Operation:
        from console.billing.verification import VerifyRun, VerifyRunOperation

        return VerifyRunOperation(desk, VerifyRun(run_id))

    from console.cli.reading import read

    return read(call, make)


@billing.command("audit-trail")
@run_id_option
@click.pass_obj
def audit_trail(call: Call, run_id: str) -> int:
    """A run's audit rows as the runbook's table (4.2)."""

    def make(desk: Desk) -> Operation:
        from console.billing.verification import AuditTrailOperation, ShowAuditTrail

        return AuditTrailOperation(desk, ShowAuditTrail(run_id))

    from console.cli.reading import read

    return read(call, make, ("action", "op", "run_id", "cnt"))


@billing.command()
@click.option("--csv", required=True, type=FILE, help="The file of missing lines.")
@click.option("--run-id", required=True, metavar="ID", help="The new run's own name.")
@click.option("--batch-size", type=BATCH, help="Rows of a batch; default as configured.")
@SELECT
@retry_option
@writing
@click.pass_obj
def upsert(
    call: Call,
    csv: Path,
    run_id: str,
    batch_size: int | None,
    select: tuple[str, ...],
    retry_of: str,
    token: str | None,
    page: int,
    page_size: int,
) -> int:
    """Plan the upsert of missing lines (3), or apply the plan of a token."""
    from console.cli.selection import lines
    from console.cli.writing import Change, write

    chosen = lines(select)

    def undecided(finding: Finding) -> bool:
        return not chosen or finding.line in chosen

    make = upsert_of(csv, run_id, batch_size, retry_of, chosen)
    return write(call, Change(make, undecided, token, Paging(page, page_size)))


def upsert_of(
    csv: Path,
    run_id: str,
    batch_size: int | None,
    retry_of: str,
    lines: tuple[int, ...] = (),
) -> Callable[[Work], Operation]:
    """What makes the upsert once a desk is open; a wrong run id is refused at once."""
    from console.session.guard import run_id_valid

    run_id_valid(run_id)
    if retry_of:
        run_id_valid(retry_of)

    def make(work: Work) -> Operation:
        from console.billing.upsert import UpsertMissingLines, UpsertOperation

        size = batch_size or work.desk.settings.billing.batch_size
        return UpsertOperation(work.desk, UpsertMissingLines(csv, run_id, size, lines, retry_of))

    return make


@billing.command()
@run_id_option
@click.option("--new-run-id", metavar="ID", help="The rollback's own name; proposed when absent.")
@click.option("--restore", multiple=True, metavar="KEY", help="A conflict to restore all the same.")
@click.option("--keep", multiple=True, metavar="KEY", help="A line to leave as it is now.")
@SELECT
@writing
@click.pass_obj
def rollback(
    call: Call,
    run_id: str,
    new_run_id: str | None,
    restore: tuple[str, ...],
    keep: tuple[str, ...],
    select: tuple[str, ...],
    token: str | None,
    page: int,
    page_size: int,
) -> int:
    """Plan the rollback of one run (6.2), or apply the plan of a token."""
    from console.cli.rolling_back import Choice
    from console.cli.writing import Change, write

    choice = Choice.of(run_id, new_run_id, restore, keep, select)
    change = Change(choice.operation, choice.undecided, token, Paging(page, page_size))
    return write(call, change)
