"""What an applied upsert leaves, in lines, audit rows and ledger."""

from pathlib import Path

import psycopg
import pytest

from console.errors import Moved
from console.operation import BatchWritten, Measured, Planned
from tests.database import billing
from tests.database.billing import RUN, all_rows, apply, one, plan, upsert
from tests.database.conftest import Database
from tests.database.incident_kit import CHAIN
from tests.database.lines_kit import fresh, live_line, with_cell

LAG = """SELECT count(*) FROM (
    SELECT previous_hash, lag(hash) OVER (ORDER BY created_at) AS expected FROM audit_logs
) AS chain WHERE expected IS NOT NULL AND previous_hash IS DISTINCT FROM expected"""


LINES = "SELECT id, to_jsonb(l) AS image FROM invoice_lines l"


def test_the_audit_trail_holds_true_images(both_schemas: Database) -> None:
    """Each written line has one audit row with its complete former and new state."""
    with both_schemas.connect(options="-c TimeZone=UTC") as connection:
        before = dict(all_rows(connection, LINES))
        outcome = apply(upsert(both_schemas, both_schemas.csv))
        after = dict(all_rows(connection, LINES))
        trail = all_rows(
            connection,
            """SELECT record_id::text, table_name, old_data, new_data FROM audit_logs
            WHERE action = 'upsert_missing_lines' AND new_data ->> 'run_id' = %s""",
            RUN,
        )
    before, after = ({str(k): v for k, v in images.items()} for images in (before, after))
    changed = {k for k in after if before.get(k) != after[k]}
    assert {record for record, *_ in trail} == changed
    assert len(trail) == len(changed) == 128
    for record, table, old, new in trail:
        assert table == "invoice_lines"
        assert old == before.get(record)
        assert new["row"] == after[record] != old
        assert new["operation"] == ("update" if old else "insert")
    assert outcome.counts == {"insert": 120, "update": 8}
    assert set(before) <= set(after)


def test_the_runbooks_query_gives_its_table(both_schemas: Database) -> None:
    """Section 4.2's query counts 120 inserts and 8 updates; 4.1's counts no duplicate."""
    apply(upsert(both_schemas, both_schemas.csv))
    with both_schemas.connect() as connection:
        table = all_rows(
            connection,
            """SELECT action, (new_data->>'operation') AS op, (new_data->>'run_id') AS run_id,
               COUNT(*) AS cnt
            FROM audit_logs
            WHERE action = 'upsert_missing_lines' AND new_data->>'run_id' = %s
            GROUP BY 1, 2, 3 ORDER BY 2""",
            RUN,
        )
        assert table == [
            ("upsert_missing_lines", "insert", RUN, 120),
            ("upsert_missing_lines", "update", RUN, 8),
        ]
        duplicates = """SELECT COUNT(*) FROM (SELECT invoice_id, unit_id, line_type,
            normalized_description FROM invoice_lines GROUP BY 1, 2, 3, 4
            HAVING COUNT(*) > 1) sub"""
        assert one(connection, duplicates) == 0
    assert billing.verify(both_schemas).answer == "pass"


def test_a_second_run_of_the_file_has_nothing_to_do(both_schemas: Database) -> None:
    """Equal lines are neither written nor audited nor counted, down to their row versions."""
    apply(upsert(both_schemas, both_schemas.csv))
    versions = "SELECT string_agg(id::text || xmin::text, ',' ORDER BY id) FROM invoice_lines"
    with both_schemas.connect() as connection:
        before = one(connection, versions)
        operation = upsert(both_schemas, both_schemas.csv, "second-run-1")
        planned = plan(operation)
        assert planned.counts == {"noop": 128}
        assert apply(operation, planned).counts == {"insert": 0, "update": 0}
        assert one(connection, versions) == before
        trail = "SELECT count(*) FROM audit_logs WHERE action = 'upsert_missing_lines' " \
            "AND new_data ->> 'run_id' = 'second-run-1'"  # fmt: skip
        assert one(connection, trail) == 0


@pytest.mark.parametrize("batch_size", [1, 7, 128, 50_000])
def test_batches_are_one_transaction(app_database: Database, batch_size: int) -> None:
    """Batches add up to the plan, and nobody sees any of them before the end."""
    operation = upsert(app_database, app_database.csv, batch_size=batch_size)
    planned = plan(operation)
    seen, batches = set(), []
    with app_database.connect() as connection:
        state = billing.lines_digest(connection)
        for event in operation.apply(planned, "head"):
            if isinstance(event, BatchWritten):
                batches.append(event)
                if len(batches) % 16 == 1:
                    seen.add(billing.lines_digest(connection))
            if isinstance(event, Measured):
                assert event.money == planned.money
                assert billing.lines_digest(connection) == state
    assert seen == {state}
    assert [batch.number for batch in batches] == list(range(1, -(-128 // batch_size) + 1))
    assert sum(sum(batch.counts.values()) for batch in batches) == 128


def test_the_ledger_row_says_what_was_planned(both_schemas: Database) -> None:
    """Data and ledger row commit together, under one transaction id."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    outcome = apply(operation, planned)
    with both_schemas.connect() as connection:
        assert all_rows(
            connection,
            """SELECT verdict, plan_digest, counts, money, operator, reason, log_head,
            transaction_id FROM ops_console.runs WHERE run_id = %s""",
            RUN,
        ) == [
            ("applied", planned.digest, {"insert": 120, "update": 8},
             {"EUR": str(planned.money["EUR"])}, "anna", "a test", "head",
             outcome.transaction_id)
        ]  # fmt: skip
        for text in ("DELETE FROM ops_console.runs", "UPDATE ops_console.runs SET operator = 'x'",
                     "TRUNCATE ops_console.runs"):  # fmt: skip
            with pytest.raises(psycopg.Error, match="append-only"):
                connection.execute(text)


def test_the_chain_stays_linear(cloud_database: Database, tmp_path: Path) -> None:
    """After 500 lines the runbook's check of the chain flags nothing new, and all hashes fit."""
    with cloud_database.connect(options="-c TimeZone=UTC") as connection:
        flagged = one(connection, LAG)
        invoices = fresh(connection, 500)
        lines = [
            with_cell(invoices[n % len(invoices)], "description", f"Zeile {n}") for n in range(500)
        ]
        path = billing.write_csv(tmp_path, lines)
        assert apply(upsert(cloud_database, path, batch_size=120)).counts["insert"] == 500
        assert one(connection, LAG) == flagged
        assert connection.execute(CHAIN).fetchone() == (0, 0)
        order = """SELECT count(*) FROM (SELECT created_at, lag(created_at) OVER
            (ORDER BY created_at) AS former FROM audit_logs) a WHERE created_at <= former"""
        assert one(connection, order) == 0
        apply(billing.rollback(cloud_database))
        assert one(connection, LAG) == flagged
        assert connection.execute(CHAIN).fetchone() == (0, 0)


def test_an_update_of_every_column(both_schemas: Database, tmp_path: Path) -> None:
    """Description, amount, tax rate and meta are taken from the file as they stand there."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection))
        changed = [*line[:3], line[3].upper(), "-0.01", "13", '{"b": [1.50, null]}']
        operation = upsert(both_schemas, billing.write_csv(tmp_path, [changed]))
        planned = plan(operation)
        apply(operation, planned)
        assert all_rows(
            connection,
            """SELECT description, amount::text, tax_rate, meta::text FROM invoice_lines
            WHERE invoice_id = %s AND line_type = %s AND description = %s""",
            line[0], line[2], line[3].upper(),
        ) == [(line[3].upper(), "-0.01", 13, '{"b": [1.50, null]}')]  # fmt: skip


def test_an_update_without_meta_leaves_meta_alone(both_schemas: Database, tmp_path: Path) -> None:
    """An empty meta cell says nothing, so the live value stays, keys and all."""
    with both_schemas.connect() as connection:
        line = list(live_line(connection))
        connection.execute(
            "UPDATE invoice_lines SET meta = '{\"kept\": 1.50}' WHERE invoice_id = %s", (line[0],)
        )
        changed = [*line[:3], line[3], "77.77", line[5], ""]
        assert apply(upsert(both_schemas, billing.write_csv(tmp_path, [changed]))).counts == {
            "insert": 0, "update": 1
        }  # fmt: skip
        live = "SELECT meta::text FROM invoice_lines WHERE amount = 77.77"
        assert all_rows(connection, live) == [('{"kept": 1.50}',)]


def test_planning_again_needs_no_new_operation(app_database: Database) -> None:
    """The same operation can plan twice, and apply the second plan."""
    operation = upsert(app_database, app_database.csv)
    assert any(isinstance(event, Planned) for event in operation.plan())
    assert apply(operation, plan(operation)).counts == {"insert": 120, "update": 8}


def test_a_trigger_that_changes_an_update(both_schemas: Database) -> None:
    """An update that a trigger turns into something else than planned is rolled back."""
    with both_schemas.connect() as connection:
        connection.execute(
            """CREATE FUNCTION other_rate() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN NEW.tax_rate := 13; RETURN NEW; END $$"""
        )
        connection.execute(
            """CREATE TRIGGER zz_other_rate BEFORE UPDATE ON invoice_lines
               FOR EACH ROW EXECUTE FUNCTION other_rate()"""
        )
        state = billing.lines_digest(connection)
        with pytest.raises(Moved, match="other values than planned"):
            apply(upsert(both_schemas, both_schemas.csv))
        assert billing.lines_digest(connection) == state


def test_a_retry_names_the_run_it_tries_again(app_database: Database) -> None:
    """The ledger links a retry to the run before it, and an undo to the run that it undoes."""
    apply(upsert(app_database, app_database.csv, "retry-20260208-fix42", retry_of=RUN))
    apply(billing.rollback(app_database, "retry-20260208-fix42", "rollback-0001"))
    with app_database.connect() as connection:
        linked = all_rows(
            connection, "SELECT run_id, retry_of, undoes FROM ops_console.runs ORDER BY marked_at"
        )
    assert linked == [
        ("retry-20260208-fix42", RUN, None),
        ("rollback-0001", None, "retry-20260208-fix42"),
    ]
