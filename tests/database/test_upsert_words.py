"""What the findings of an upsert say: true, once, and with what to do."""

from pathlib import Path

from console.settings import Billing
from tests.database import billing
from tests.database.billing import codes, plan, rows, upsert
from tests.database.conftest import Database
from tests.database.lines_kit import fresh, lock_month, with_cell


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


def test_wrong_types_and_rates_name_what_is_allowed(app_database: Database, tmp_path: Path) -> None:
    """A probable twin of a line type is named, and the rates are the configured ones."""
    with app_database.connect() as connection:
        lines = fresh(connection, 3)
    bad = [
        with_cell(lines[0], "line_type", "heizungskosten"),
        with_cell(lines[1], "line_type", "qqq"),
        with_cell(lines[2], "tax_rate", "20"),
    ]
    rules = Billing(tax_rates=(0, 19))
    operation = upsert(billing.desk_with(app_database, rules), billing.write_csv(tmp_path, bad))
    plan(operation)
    found = {(f.line, f.code): f for f in operation.findings()}
    assert found[2, "line_type"].next_step.startswith("Did you mean heizkosten?")
    assert found[3, "line_type"].next_step.startswith("Write one of grundmiete, ")
    assert (
        found[4, "tax_rate"].message
        == "line 4: the tax rate is not a whole percent out of 0, 19: 20"
    )
