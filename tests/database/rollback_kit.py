"""What the tests of rollbacks share: an applied run and its lines."""

from console.billing.rollback import RollbackOperation
from tests.database.billing import (
    RUN,
    Connection,
    all_rows,
)

BACK = "rollback-0001"


def ids(connection: Connection, operation: str) -> list[str]:
    """The lines that the run inserted or updated, in its order."""
    return [
        str(row[0])
        for row in all_rows(
            connection,
            """SELECT record_id FROM audit_logs WHERE new_data ->> 'run_id' = %s
            AND new_data ->> 'operation' = %s ORDER BY created_at""",
            RUN,
            operation,
        )
    ]


def classes(operation: RollbackOperation) -> dict[str, str]:
    """The class of every line that is not undone by itself."""
    return {finding.record: finding.code for finding in operation.findings(0, 10_000)}


def edit(connection: Connection, line: str) -> None:
    connection.execute("UPDATE invoice_lines SET amount = amount + 1 WHERE id = %s", (line,))
