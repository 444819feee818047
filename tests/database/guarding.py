"""What tests of refusals share: a database left untouched, and roles with few rights."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.database import billing
from tests.database.billing import RUN, Connection
from tests.database.conftest import Database


@contextmanager
def untouched(database: Database, run_id: str = RUN) -> Iterator[Connection]:
    """Lines are the same before and after, and the run has left no trace."""
    with database.connect() as connection:
        yield connection
        state = billing.lines_digest(connection)
    with database.connect() as connection:
        assert billing.lines_digest(connection) == state
        assert billing.traces(connection, run_id) == (0, 0)


@contextmanager
def role(database: Database, *rights: str, attributes: str = "") -> Iterator[str]:
    """The URL of an ordinary role with some rights, gone afterwards."""
    name = f"operator_{database.url.split('/')[3].split('?')[0]}"
    with database.connect() as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN {attributes}")
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
        for right in rights:
            owner.execute(f"GRANT {right} TO {name}")
        try:
            yield database.url.replace("postgres@", f"{name}@")
        finally:
            owner.execute(f"DROP OWNED BY {name}")
            owner.execute(f"DROP ROLE {name}")


OPERATOR = (
    "INSERT, UPDATE, DELETE ON invoice_lines",
    "INSERT ON audit_logs",
    "UPDATE ON monthly_invoices",
    "USAGE ON SCHEMA ops_console",
    "SELECT, INSERT ON ops_console.runs",
)


HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('ops_console writes', 0))"
