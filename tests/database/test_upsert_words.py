"""What the findings of an upsert say: true, once, and with what to do."""

from pathlib import Path

from tests.database import billing
from tests.database.billing import codes, plan, rows, upsert
from tests.database.conftest import Database
from tests.database.test_upsert_plan import fresh, lock_month, with_cell


def test_a_line_with_two_faults_is_named_once_for_each(
    both_schemas: Database, tmp_path: Path
) -> None:
    """A repeated key in a locked month is no third finding, and the row shows its own kind's."""
    with both_schemas.connect() as connection:
        line = fresh(connection)[0]
        lock_month(connection, line[0])
    path = billing.write_csv(tmp_path, [line, with_cell(line, "amount", "11.00")])
    operation = upsert(both_schemas, path)
    assert plan(operation).finding_count == 4
    assert codes(operation) == {n: {"repeated_key", "locked_period"} for n in (2, 3)}
    assert not [f for f in operation.findings() if "(empty)" in f.message]
    assert {(row.operation, row.reason) for row in rows(operation)} == {
        ("conflict", "repeated_key")
    }
