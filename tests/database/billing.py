"""What the tests of the billing operations share: desks, walks, files and digests."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from pydantic import SecretStr

from console.billing.rollback import RollbackOperation, RollbackRun
from console.billing.upsert import UpsertMissingLines, UpsertOperation
from console.billing.verification import VerifyRun, VerifyRunOperation
from console.desk import Desk
from console.operation import (
    Applied,
    Check,
    Checked,
    Event,
    Operation,
    Outcome,
    Page,
    Plan,
    Planned,
    PlanRow,
)
from console.settings import Billing, Environment, Settings
from tests.database.conftest import Database

RUN = "manual-20260208-fix42"
HEADER = ("invoice_id", "unit_id", "line_type", "description", "amount", "tax_rate", "meta")
OLDER_RUN = "manual-20260203-fix17"
Found = TypeVar("Found", bound=Event)
Connection = psycopg.Connection[Any]


def desk(database: Database | str, operator: str = "anna", **rules: Any) -> Desk:
    """A desk at the test's database, or at a URL; further words go to the environment."""
    url = database if isinstance(database, str) else database.url
    environment = Environment(kind="sandbox", database_url=SecretStr(url), **rules)
    return Desk("test", environment, Settings(), operator=operator, reason="a test")


def desk_with(database: Database, billing: Billing) -> Desk:
    """A desk with other rules of the billing runbook."""
    plain = desk(database)
    return Desk("test", plain.environment, Settings(billing=billing), operator="anna")


def walk(events: Iterable[Event], kind: type[Found]) -> Found:
    """Walk to the end and return the last event, which must be of this kind."""
    last = list(events)[-1]
    assert isinstance(last, kind), last
    return last


def upsert(at: Desk | Database, path: Path, run_id: str = RUN, **command: Any) -> UpsertOperation:
    """An upsert of a file, not planned yet."""
    at = at if isinstance(at, Desk) else desk(at)
    return UpsertOperation(at, UpsertMissingLines(path, run_id, **command))


def rollback(
    at: Desk | Database, run_id: str = RUN, new_run_id: str = "rollback-0001", **command: Any
) -> RollbackOperation:
    """A rollback of a run, not planned yet."""
    at = at if isinstance(at, Desk) else desk(at)
    return RollbackOperation(at, RollbackRun(run_id, new_run_id, **command))


def plan(operation: Operation) -> Plan:
    """Plan and return the plan."""
    return walk(operation.plan(), Planned).plan


def apply(operation: Operation, planned: Plan | None = None) -> Outcome:
    """Apply a plan, made first where none is given."""
    return walk(operation.apply(planned or plan(operation), "head"), Applied).outcome


def verify(database: Database, run_id: str = RUN) -> Check:
    """The verification of a run by another path."""
    return walk(VerifyRunOperation(desk(database), VerifyRun(run_id)).read(), Checked).check


def rows(operation: Operation, *kinds: str) -> Sequence[PlanRow]:
    """All rows of the plan that stands, or those of some kinds."""
    return operation.rows(Page(size=100_000, kinds=kinds))


def codes(operation: Operation) -> dict[int | None, set[str]]:
    """The codes of the findings by line."""
    found: dict[int | None, set[str]] = {}
    for finding in operation.findings(0, 100_000):
        found.setdefault(finding.line, set()).add(finding.code)
    return found


def csv_text(lines: Iterable[Sequence[object]], header: Sequence[str] = HEADER) -> str:
    """A CSV file's text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if value is None else value for value in line] for line in lines)
    return out.getvalue()


def write_csv(
    folder: Path, lines: Iterable[Sequence[object]], header: Sequence[str] = HEADER
) -> Path:
    """A CSV file of lines in the folder."""
    path = folder / "lines.csv"
    path.write_bytes(csv_text(lines, header).encode())
    return path


def all_rows(connection: Connection, query: str, *values: Any) -> list[Any]:
    """All rows of a query."""
    return connection.execute(query, values or None).fetchall()


def one(connection: Connection, query: str, *values: Any) -> Any:
    """The single value of a query."""
    row = connection.execute(query, values or None).fetchone()
    assert row is not None, query
    return row[0]


def lines_digest(connection: Connection) -> str:
    """The ordered full text of all invoice lines."""
    text = "SELECT coalesce(string_agg(l::text, E'\\n' ORDER BY l.id), '') FROM invoice_lines l"
    return str(one(connection, text))


def everything(connection: Connection) -> dict[str, str]:
    """A digest of every user table, the console's own included."""
    tables = all_rows(
        connection,
        """SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema)'""",
    )
    assert len(tables) > 8
    return {
        name: one(
            connection, f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"
        )
        for (name,) in tables
    }


def traces(connection: Connection, run_id: str = RUN) -> tuple[int, int]:
    """How many audit rows and ledger rows carry the run id."""
    audit = one(
        connection, "SELECT count(*) FROM audit_logs WHERE new_data ->> 'run_id' = %s", run_id
    )
    if not one(connection, "SELECT to_regclass('ops_console.runs') IS NOT NULL"):
        return audit, 0
    return audit, one(
        connection,
        "SELECT count(*) FROM ops_console.runs WHERE run_id = %s AND verdict = 'applied'",
        run_id,
    )


def open_invoices(connection: Connection, limit: int = 50) -> Iterator[tuple[str, str]]:
    """Invoices (id, unit id) outside locked months, in a fixed order."""
    yield from all_rows(
        connection,
        """SELECT m.id::text, m.unit_id::text FROM monthly_invoices m
        JOIN units u ON u.id = m.unit_id JOIN properties p ON p.id = u.property_id
        WHERE NOT EXISTS (SELECT FROM booking_periods b WHERE b.is_locked AND b.year = m.year
            AND b.month = m.month AND b.organization_id = p.organization_id)
        ORDER BY m.id LIMIT %s""",
        limit,
    )
