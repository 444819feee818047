"""`roles`: SQL that an owner runs where the console's own role may not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from console.errors import BadInput

if TYPE_CHECKING:
    from console.cli.work import Call


@click.command()
@click.option("--ledger", is_flag=True, help="The schema ops_console with the ledger of runs.")
@click.option("--to", metavar="ROLE", help="The grants for the role that applies runs.")
@click.pass_obj
def roles(call: Call, ledger: bool, to: str | None) -> int:
    """Print SQL for an owner of the database; nothing connects."""
    if not ledger and to is None:
        raise BadInput("Nothing is asked for.", next_step="Say which SQL: --ledger, --to ROLE.")
    from console.database.ledger import grants_sql, ledger_sql

    parts = (ledger_sql() if ledger else "", grants_sql(to) if to is not None else "")
    text = "\n".join(filter(None, parts))
    if not call.out.json:
        call.out.print_text(text.rstrip("\n"))
        return 0
    from console.documents import CheckDocument

    call.out.document(
        CheckDocument(
            operation="roles",
            status="pass",
            started_at=call.started_at,
            finished_at=datetime.now(UTC),
            summary="SQL that makes the console's own schema",
            figures={"sql": text},
        )
    )
    return 0
