"""`sandbox`: a PostgreSQL of its own with an incident, without screens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from console.cli.options import FOLDER, remember_command
from console.sandbox.seed import Broken, Scenario, Schema

if TYPE_CHECKING:
    from console.cli.options import F
    from console.cli.work import Call
    from console.documents import SandboxDocument
    from console.sandbox.sandbox import Sandbox

DIRECTORY = click.option("--dir", "directory", type=FOLDER, help="The sandbox's folder.")


def _portfolio(command: F) -> F:
    """What is generated; the same values always give the same rows."""
    for option in (
        click.option("--broken", type=click.Choice(get_args(Broken)), help="A known defect."),
        click.option("--schema", type=click.Choice(get_args(Schema)), default="app"),
        click.option("--scenario", type=click.Choice(get_args(Scenario)), default="missing-lines"),
        click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True),
        click.option(
            "--invoices", type=click.IntRange(1, 100_000_000), default=1000, show_default=True
        ),
    ):
        command = option(command)
    return command


@click.group()
@click.pass_context
def sandbox(context: click.Context) -> None:
    """A real PostgreSQL with synthetic data; every subcommand prints one JSON document."""
    remember_command(context)


@sandbox.command()
@DIRECTORY
@_portfolio
@click.pass_obj
def up(call: Call, /, directory: Path | None, **portfolio: Any) -> int:
    """Start it, generating it first where it is not there yet; it stays up."""
    from console.sandbox import sandbox as box

    made = box.up(directory or box.default_directory(), **portfolio, progress=call.out.note)
    return _report(call, "sandbox_up", made)


@sandbox.command()
@DIRECTORY
@_portfolio
@click.pass_obj
def reset(call: Call, /, directory: Path | None, **portfolio: Any) -> int:
    """Generate its database afresh, whatever it holds."""
    from console.sandbox import sandbox as box

    made = box.reset(directory or box.default_directory(), **portfolio, progress=call.out.note)
    return _report(call, "sandbox_reset", made)


@sandbox.command()
@DIRECTORY
@click.pass_obj
def down(call: Call, directory: Path | None) -> int:
    """Stop its server and keep its files."""
    from console.sandbox import sandbox as box

    return _report(call, "sandbox_down", box.down(directory or box.default_directory()))


@sandbox.command()
@DIRECTORY
@click.pass_obj
def status(call: Call, directory: Path | None) -> int:
    """Say what the folder holds and whether its server runs."""
    from console.sandbox import sandbox as box

    return _report(call, "sandbox_status", box.status(directory or box.default_directory()))


def _report(call: Call, operation: str, found: Sandbox) -> int:
    call.out.print_document(_document(call, operation, found))
    return 0


def _document(call: Call, operation: str, found: Sandbox) -> SandboxDocument:
    from console.documents import SandboxDocument

    return SandboxDocument(
        operation=operation,
        status="pass",
        started_at=call.started_at,
        finished_at=datetime.now(UTC),
        state=found.state,
        started=found.started,
        database_url=found.database_url,
        config=str(found.config),
        dir=str(found.dir),
        pid=found.pid,
        schema_name=found.schema_name,
        invoices=found.invoices,
        seed=found.seed,
        scenario=found.scenario,
        broken=found.broken,
        run_id=found.run_id,
        csv=str(found.csv) if found.csv else None,
    )
