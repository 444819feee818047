"""What an applied upsert leaves behind, and what makes it leave nothing."""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from console.billing.staging import Staging
from console.errors import Busy, ConsoleError, CouldNotRun, Moved, Refused, RunIdUsed
from console.operation import BatchWritten, Measured, Planned
from tests.database import billing
from tests.database.billing import RUN, Connection, all_rows, apply, one, plan, rows, upsert
from tests.database.conftest import Database
from tests.database.guarding import OPERATOR, role, untouched
from tests.database.test_incident import CHAIN
from tests.database.test_upsert_plan import cancel, fresh, live_line, lock_month, with_cell

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


def an_update(connection: Connection, operation: Any) -> str:
    """The id of a line that the plan wants to update."""
    return str(rows(operation, "update")[0].before["id"])


def an_insert(operation: Any) -> Any:
    """The line that the plan wants to insert first."""
    return rows(operation, "insert")[0].after


def change_the_line(connection: Connection, operation: Any) -> None:
    connection.execute(
        "UPDATE invoice_lines SET amount = amount + 0.01 WHERE id = %s",
        (an_update(connection, operation),),
    )


def change_what_is_not_in_the_file(connection: Connection, operation: Any) -> None:
    connection.execute(
        "UPDATE invoice_lines SET created_at = created_at - interval '1 hour' WHERE id = %s",
        (an_update(connection, operation),),
    )


def delete_the_line(connection: Connection, operation: Any) -> None:
    connection.execute(
        "DELETE FROM invoice_lines WHERE id = %s", (an_update(connection, operation),)
    )


def insert_the_line(connection: Connection, operation: Any, suffix: str = "") -> None:
    line = an_insert(operation)
    connection.execute(
        "INSERT INTO invoice_lines (invoice_id, unit_id, line_type, description, amount)"
        " VALUES (%s, %s, %s, %s, 1)",
        (line["invoice_id"], line["unit_id"], line["line_type"], line["description"] + suffix),
    )


def insert_a_twin(connection: Connection, operation: Any) -> None:
    insert_the_line(connection, operation, "\u200b")


def cancel_the_invoice(connection: Connection, operation: Any) -> None:
    cancel(connection, str(an_insert(operation)["invoice_id"]))


def lock_the_month(connection: Connection, operation: Any) -> None:
    lock_month(connection, str(an_insert(operation)["invoice_id"]))


def delete_a_line_without_unit(connection: Connection, operation: Any) -> None:
    insert_the_line(connection, operation)
    connection.execute("UPDATE invoice_lines SET unit_id = NULL WHERE amount = 1")


MOVES: list[Callable[[Connection, Any], None]] = [
    change_the_line,
    change_what_is_not_in_the_file,
    delete_the_line,
    insert_the_line,
    insert_a_twin,
    delete_a_line_without_unit,
    cancel_the_invoice,
    lock_the_month,
]


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.__name__)
def test_a_stale_plan_is_refused(
    both_schemas: Database, move: Callable[[Connection, Any], None]
) -> None:
    """Whatever moved between plan and apply, the plan is refused and the edit stays."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    with untouched(both_schemas) as connection:
        move(connection, operation)
        moved = billing.lines_digest(connection)
        with pytest.raises(Moved) as refusal:
            apply(operation, planned)
        assert refusal.value.findings
        assert billing.lines_digest(connection) == moved


@pytest.mark.parametrize("moment", ["read_fingerprint", "measure"])
def test_an_edit_while_the_plan_is_made(
    both_schemas: Database, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """An edit after the images were read, but before the plan stands, is not lost either."""
    original = getattr(Staging, moment)

    def edited_meanwhile(staging: Staging, *given: Any) -> Any:
        monkeypatch.undo()
        with both_schemas.connect() as other:
            other.execute("UPDATE invoice_lines SET amount = amount + 1000")
        return original(staging, *given)

    monkeypatch.setattr(Staging, moment, edited_meanwhile)
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    with untouched(both_schemas) as connection:
        assert one(connection, "SELECT min(amount) FROM invoice_lines") >= 1000
        with pytest.raises(Moved):
            apply(operation, planned)


def test_edits_elsewhere_do_not_disturb(both_schemas: Database) -> None:
    """A line of another invoice may change, and a line may be touched without a difference."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    with both_schemas.connect() as connection:
        connection.execute(
            "UPDATE invoice_lines SET amount = amount WHERE id = %s",
            (an_update(connection, operation),),
        )
        touched = [str(row.after["invoice_id"]) for row in rows(operation) if row.after]
        connection.execute(
            "UPDATE invoice_lines SET amount = 1 WHERE invoice_id::text <> ALL (%s)", (touched,)
        )
    assert apply(operation, planned).counts == {"insert": 120, "update": 8}
    assert billing.verify(both_schemas).answer == "pass"


def test_a_used_run_id_is_refused(both_schemas: Database) -> None:
    """A run id serves once: later plans are refused, and so is an apply planned before."""
    late = upsert(both_schemas, both_schemas.csv)
    planned = plan(late)
    apply(upsert(both_schemas, both_schemas.csv))
    with both_schemas.connect() as connection:
        state = billing.everything(connection)
        with pytest.raises(RunIdUsed):
            plan(upsert(both_schemas, both_schemas.csv))
        with pytest.raises(RunIdUsed):
            apply(late, planned)
        assert billing.everything(connection) == state


def test_a_plan_is_applied_once_and_only_the_newest(app_database: Database) -> None:
    """A plan that was applied or replaced is refused by the operation itself."""
    operation = upsert(app_database, app_database.csv)
    first = plan(operation)
    with app_database.connect() as connection:
        connection.execute("UPDATE invoice_lines SET tax_rate = 0")
    second = plan(operation)
    assert first.digest != second.digest
    with pytest.raises(Moved):
        apply(operation, first)
    with app_database.connect() as connection:
        assert billing.traces(connection) == (0, 0)
    operation = upsert(app_database, app_database.csv)
    planned = plan(operation)
    apply(operation, planned)
    with pytest.raises(Moved):
        apply(operation, planned)


def test_two_operators_with_one_run_id(both_schemas: Database, tmp_path: Path) -> None:
    """In every round of a true race exactly one is applied, and the other is told why."""
    with both_schemas.connect() as connection:
        line = fresh(connection)[0]
        for number in range(10):  # of each schema
            path = billing.write_csv(tmp_path, [with_cell(line, "description", f"Runde {number}")])
            ends = race(both_schemas, path, run_id := f"race-number-{number}")
            assert sorted(ends) in (["Busy", "applied"], ["RunIdUsed", "applied"])
            assert billing.traces(connection, run_id) == (2, 1)
        count = "SELECT count(*) FROM invoice_lines WHERE description LIKE 'Runde %%'"
        assert one(connection, count) == 10


def race(database: Database, path: Path, run_id: str) -> list[str]:
    """Two operators plan the same run and apply it at the same moment."""
    together, ends = threading.Barrier(2), []
    operations = [upsert(billing.desk(database, name), path, run_id) for name in ("anna", "ben")]
    plans = [plan(operation) for operation in operations]

    def run(place: int) -> None:
        together.wait()
        try:
            apply(operations[place], plans[place])
            ends.append("applied")
        except ConsoleError as error:
            ends.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('ops_console writes', 0))"


def test_a_held_lock_is_named(both_schemas: Database) -> None:
    """While another operator writes, an apply is refused with the pid that holds the lock."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    with untouched(both_schemas), both_schemas.connect(autocommit=False) as holder:
        holder.execute(HOLD)
        with pytest.raises(Busy, match=f"pid {holder.info.backend_pid} .*since"):
            apply(operation, planned)


def test_a_locked_row_is_busy(both_schemas: Database) -> None:
    """An application that holds a row makes the apply give up in time, not wait for ever."""
    operation = upsert(billing.desk(both_schemas, lock_timeout_seconds=1), both_schemas.csv)
    planned = plan(operation)
    with untouched(both_schemas) as connection, both_schemas.connect(autocommit=False) as holder:
        holder.execute(
            "SELECT FROM invoice_lines WHERE id = %s FOR UPDATE",
            (an_update(connection, operation),),
        )
        with pytest.raises(Busy):
            apply(operation, planned)


BODY = "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$"
TRIGGER = "CREATE TRIGGER zz_meddle {} ON invoice_lines FOR EACH {} EXECUTE FUNCTION meddle()"
MEDDLING = {
    "swallows an update": ("RETURN NULL;", "BEFORE UPDATE", "ROW"),
    "adds a cent to an update": (
        "NEW.amount := NEW.amount + 0.01; RETURN NEW;", "BEFORE UPDATE", "ROW"
    ),
    "adds a cent to an insert": (
        "IF TG_TABLE_NAME = 'invoice_lines' THEN NEW.amount := NEW.amount + 0.01; END IF;"
        " RETURN NEW;", "BEFORE INSERT", "ROW"
    ),
    "swallows an insert": (
        "IF TG_TABLE_NAME = 'invoice_lines' THEN RETURN NULL; END IF; RETURN NEW;",
        "BEFORE INSERT", "ROW"
    ),
    "adds a cent afterwards": (
        "UPDATE invoice_lines SET amount = amount + 0.01 WHERE id = NEW.id; RETURN NULL;",
        "AFTER INSERT", "ROW"
    ),
    "deletes afterwards": (
        "DELETE FROM invoice_lines WHERE amount > 0 AND description NOT LIKE 'x%';"
        " RETURN NULL;", "AFTER INSERT", "STATEMENT"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MEDDLING)
def test_a_meddling_trigger_rolls_back(both_schemas: Database, kind: str) -> None:
    """A trigger that swallows a row or changes a cent is noticed before COMMIT."""
    body, when, each = MEDDLING[kind]
    with untouched(both_schemas) as connection:
        connection.execute(BODY.format(body))
        connection.execute(TRIGGER.format(when, each))
        operation = upsert(both_schemas, both_schemas.csv)
        planned = plan(operation)
        assert planned.counts == {"insert": 120, "update": 8}
        with pytest.raises(Moved):
            apply(operation, planned)


def test_a_harmless_later_trigger_does_not_disturb(both_schemas: Database) -> None:
    """A trigger that only looks on leaves the upsert as it is."""
    with both_schemas.connect() as connection:
        connection.execute(BODY.format("RETURN NULL;"))
        connection.execute(TRIGGER.format("AFTER INSERT OR UPDATE", "ROW"))
    assert apply(upsert(both_schemas, both_schemas.csv)).counts == {"insert": 120, "update": 8}


def test_a_line_that_a_trigger_throws_away_is_found_by_the_plan(both_schemas: Database) -> None:
    """Where the trigger shows itself before, the line is a finding and never silently missing."""
    with both_schemas.connect() as connection:
        connection.execute(BODY.format("IF NEW.amount > 300 THEN RETURN NULL; END IF; RETURN NEW;"))
        connection.execute(TRIGGER.format("BEFORE INSERT", "ROW"))
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    assert sum(planned.counts.values()) == 128
    thrown = {f.line for f in operation.findings() if f.code == "discarded"}
    assert len(thrown) == planned.counts["rejected"] > 0
    assert apply(operation, planned).counts["insert"] == planned.counts["insert"]


def test_an_ordinary_role_can_do_it(both_schemas: Database) -> None:
    """The rights an operator needs are enough, from the plan to the undo."""
    with role(both_schemas, *OPERATOR) as url:
        outcome = apply(upsert(billing.desk(url), both_schemas.csv))
        assert outcome.counts == {"insert": 120, "update": 8}
        undone = apply(billing.rollback(billing.desk(url)))
        assert undone.counts == {"delete": 120, "restore": 8, "insert": 0}
    with both_schemas.connect() as connection:
        assert one(connection, "SELECT count(DISTINCT actor) FROM ops_console.runs") == 1


def test_a_holder_of_another_role_is_named(both_schemas: Database) -> None:
    """A role that may not look into other roles' sessions still learns the holder's pid."""
    with (
        role(both_schemas, *OPERATOR) as url,
        untouched(both_schemas),
        both_schemas.connect(autocommit=False) as holder,
    ):
        operation = upsert(billing.desk(url), both_schemas.csv)
        planned = plan(operation)
        holder.execute(HOLD)
        with pytest.raises(Busy, match=f"pid {holder.info.backend_pid} "):
            apply(operation, planned)


def test_row_security_hides_nothing_from_the_guard(both_schemas: Database) -> None:
    """Under row security a stray UPDATE succeeds with no row; here it rolls back."""
    with role(both_schemas, *OPERATOR) as url, untouched(both_schemas) as connection:
        connection.execute("ALTER TABLE invoice_lines ENABLE ROW LEVEL SECURITY")
        connection.execute("CREATE POLICY see ON invoice_lines FOR SELECT USING (true)")
        connection.execute("CREATE POLICY put ON invoice_lines FOR INSERT WITH CHECK (true)")
        connection.execute("CREATE POLICY alter_some ON invoice_lines FOR UPDATE USING (false)")
        operation = upsert(billing.desk(url), both_schemas.csv)
        planned = plan(operation)
        assert planned.counts == {"insert": 120, "update": 8}
        with pytest.raises(Refused):
            apply(operation, planned)


@pytest.mark.parametrize("left_out", range(len(OPERATOR)))
def test_a_missing_right_is_refused(app_database: Database, left_out: int) -> None:
    """Each missing right is said in one sentence, and nothing is written."""
    rights = [right for place, right in enumerate(OPERATOR) if place != left_out]
    with (
        role(app_database, *rights) as url,
        untouched(app_database),
        pytest.raises(ConsoleError) as refusal,
    ):
        apply(upsert(billing.desk(url), app_database.csv))
    assert re.search("may not|lacks a right", refusal.value.message)


def test_a_read_only_role_can_write_nothing(both_schemas: Database) -> None:
    """A role that may only read gets a refusal with every missing right, before any write."""
    with (
        role(both_schemas, *OPERATOR[3:]) as url,
        untouched(both_schemas),
        pytest.raises(CouldNotRun) as refusal,
    ):
        plan(upsert(billing.desk(url), both_schemas.csv))
    assert {finding.code for finding in refusal.value.findings} == {"right"}
    assert len(refusal.value.findings) == 5


def test_a_read_only_environment_is_refused(both_schemas: Database) -> None:
    """An environment that is read-only by its configuration is never written."""
    with untouched(both_schemas), pytest.raises(ConsoleError, match="read-only"):
        apply(upsert(billing.desk(both_schemas, read_only=True), both_schemas.csv))


def test_another_database_under_the_same_name(app_database: Database, clone_database: Any) -> None:
    """A plan made for one database is not applied to another."""
    other = upsert(clone_database("app"), app_database.csv)
    own = upsert(app_database, app_database.csv)
    planned = plan(own)
    plan(other)
    with untouched(app_database), pytest.raises(Refused):
        apply(other, planned)


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
