"""What a plan of an upsert holds before anything is written."""

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from console.billing.lines_file import open_lines_file
from console.billing.staging import Staging
from console.errors import BadInput, CouldNotRun, RunIdUsed
from console.settings import Billing
from tests.database import billing
from tests.database.billing import HEADER, OLDER_RUN, plan, rows, upsert
from tests.database.conftest import Database
from tests.database.lines_kit import fresh, live_line, with_cell


def test_the_incident_plans_120_inserts_and_8_updates(both_schemas: Database) -> None:
    """The seeded file is 120 inserts and 8 updates, with the money and the old values."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    assert planned.counts == {"insert": 120, "update": 8}
    assert (planned.rows_written, planned.finding_count, planned.blocked) == (128, 0, "")
    pages = rows(operation)
    assert [row.line for row in pages] == list(range(2, 130))
    moved = sum(
        Decimal(str(row.after["amount"]))
        - (Decimal(str(row.before["amount"])) if row.before else Decimal(0))
        for row in pages
        if row.after
    )
    assert planned.money == {"EUR": moved}
    with both_schemas.connect() as connection:
        for row in rows(operation, "update"):
            assert row.before is not None
            live = "SELECT to_jsonb(l)->>'amount' FROM invoice_lines l WHERE id = %s"
            assert str(row.before["amount"]) == billing.one(connection, live, row.before["id"])


def test_a_plan_writes_nothing(both_schemas: Database) -> None:
    """Every user table is the same after a plan, a page and the findings."""
    with both_schemas.connect() as connection:
        before = billing.everything(connection)
        operation = upsert(both_schemas, both_schemas.csv)
        plan(operation)
        rows(operation)
        operation.findings()
        assert billing.everything(connection) == before
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' OR NOT granted"
        assert billing.one(connection, held) == 0
        operation.close()
        assert billing.everything(connection) == before


def test_the_server_itself_keeps_the_plan_from_writing(
    both_schemas: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its temporary tables stand, the plan's transactions are read-only to the server."""
    refused = []

    def try_to_write(staging: Staging) -> None:
        for text in ("DELETE FROM invoice_lines", "INSERT INTO organizations (name) VALUES ('x')"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                staging.connection.execute(text)
            staging.connection.rollback()
            refused.append(text)

    measure = Staging.measure
    monkeypatch.setattr(
        Staging, "measure", lambda staging: (try_to_write(staging), measure(staging))[1]
    )
    plan(upsert(both_schemas, both_schemas.csv))
    assert len(refused) == 2


def test_equal_rows_are_no_ops(both_schemas: Database, tmp_path: Path) -> None:
    """A line equal to the live one is left alone; empty meta says nothing about meta."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection))
        connection.execute(
            "UPDATE invoice_lines SET meta = '{\"a\": 1.50}' WHERE invoice_id = %s", (line[0],)
        )
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [with_cell(line, "meta", "")]))
    planned = plan(operation)
    assert planned.counts == {"noop": 1}
    assert (planned.rows_written, planned.money["EUR"]) == (0, Decimal("0.00"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("amount", "77.70"), ("tax_rate", "13"), ("meta", '{"x": 1}'), ("description", None)],
)
def test_each_differing_column_is_an_update(
    both_schemas: Database, tmp_path: Path, name: str, value: str | None
) -> None:
    """A difference in any one column makes an update whose before and after differ there."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection, "l.amount <> 77.70 AND l.tax_rate <> 13"))
    changed = with_cell(line, name, value or line[3].upper())
    operation = upsert(both_schemas, billing.write_csv(tmp_path, [changed]))
    assert plan(operation).counts == {"update": 1}
    row = rows(operation)[0]
    assert row.before is not None
    assert row.after is not None
    differing = {column for column in HEADER if row.before[column] != row.after[column]}
    assert differing == {name}


def test_only_the_selected_lines_are_planned(both_schemas: Database) -> None:
    """A selection of lines narrows rows and money, and makes another plan."""
    whole = plan(upsert(both_schemas, both_schemas.csv))
    operation = upsert(both_schemas, both_schemas.csv, lines=(2, 5, 129))
    narrowed = plan(operation)
    assert narrowed.rows_written == 3
    assert narrowed.counts["unselected"] == 125
    assert {row.line for row in rows(operation) if row.selected} == {2, 5, 129}
    assert narrowed.digest != whole.digest


def test_the_digest_means_this_plan(app_database: Database, tmp_path: Path) -> None:
    """The same file on the same data has the same digest; other data or run ids another one."""
    first = plan(upsert(app_database, app_database.csv)).digest
    assert plan(upsert(app_database, app_database.csv)).digest == first
    assert plan(upsert(app_database, app_database.csv, "other-run-1")).digest != first
    changed = app_database.csv.read_text().replace("\n", "\r\n")
    (tmp_path / "lines.csv").write_bytes(changed.encode())
    assert plan(upsert(app_database, tmp_path / "lines.csv")).digest != first
    operation = upsert(app_database, app_database.csv)
    plan(operation)
    before = rows(operation, "update")[0].before
    assert before is not None
    with app_database.connect() as connection:
        connection.execute(
            "UPDATE invoice_lines SET amount = amount + 0.01 WHERE id = %s", (before["id"],)
        )
    assert plan(upsert(app_database, app_database.csv)).digest != first


@pytest.mark.parametrize("run_id", [OLDER_RUN])
def test_a_run_id_of_the_older_tool_is_used(both_schemas: Database, run_id: str) -> None:
    """A run id that audit rows carry already cannot be told apart later, so it is refused."""
    with pytest.raises(RunIdUsed):
        plan(upsert(both_schemas, both_schemas.csv, run_id))


def test_an_unknown_line_type_may_be_configured(app_database: Database, tmp_path: Path) -> None:
    """A site's own line type is accepted once its rules name it."""
    with app_database.connect() as connection:
        line = with_cell(fresh(connection)[0], "line_type", "kinderwagenraum")
    path = billing.write_csv(tmp_path, [line])
    assert plan(upsert(app_database, path)).counts == {"rejected": 1}
    at = billing.desk_with(app_database, Billing(line_types=("kinderwagenraum",)))
    assert plan(upsert(at, path)).counts == {"insert": 1}


def test_an_unreachable_database_is_no_plan(both_schemas: Database) -> None:
    """Without a database there is no dry run that says OK."""
    with pytest.raises(CouldNotRun):
        plan(upsert(billing.desk("host=127.0.0.1 port=1 dbname=x"), both_schemas.csv))


def test_a_changed_file_is_noticed(app_database: Database, tmp_path: Path) -> None:
    """A file that changes after it was looked at is refused, also when it stops being text."""
    for content in (b"x", b"\xff\xfe\x81", b'"', b"a\x00b"):
        path = billing.write_csv(tmp_path, [])
        file = open_lines_file(path)
        path.write_bytes(path.read_bytes() + content)
        with pytest.raises(BadInput):
            list(file.blocks())


def test_a_selection_outside_the_file(app_database: Database) -> None:
    """A line number that the file does not have is refused instead of narrowing to less."""
    with pytest.raises(BadInput, match="no record of the file: 7000"):
        plan(upsert(app_database, app_database.csv, lines=(2, 7000)))
