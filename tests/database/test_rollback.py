"""Rollback of one run: what it undoes, what it leaves to a human, and how it is undone itself."""

from collections.abc import Callable
from typing import Any

import pytest

from console.billing.rollback import RollbackOperation
from console.errors import BadInput, Moved, RunIdUsed
from console.operation import Page
from tests.database import billing
from tests.database.billing import (
    OLDER_RUN,
    RUN,
    Connection,
    all_rows,
    apply,
    one,
    plan,
    rollback,
    rows,
    upsert,
)
from tests.database.conftest import Database
from tests.database.test_upsert_plan import cancel, lock_month

BACK = "rollback-0001"


@pytest.fixture
def applied(both_schemas: Database) -> Database:
    """A database in which the incident's upsert was applied."""
    apply(upsert(both_schemas, both_schemas.csv))
    return both_schemas


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


def test_a_clean_run_is_undone_byte_for_byte(both_schemas: Database) -> None:
    """Inserted lines go, updated lines get all their former values back, and the money with it."""
    with both_schemas.connect() as connection:
        before = billing.lines_digest(connection)
        done = apply(upsert(both_schemas, both_schemas.csv))
        operation = rollback(both_schemas)
        planned = plan(operation)
        assert planned.counts == {"delete": 120, "restore": 8}
        assert (planned.finding_count, planned.blocked) == (0, "")
        undone = apply(operation, planned)
        assert undone.money["EUR"] == -done.money["EUR"]
        assert billing.lines_digest(connection) == before
    assert billing.verify(both_schemas, BACK).answer == "pass"


def test_the_rollback_is_audited(applied: Database) -> None:
    """Each undone line has an audit row with both images, under the rollback's own run id."""
    with applied.connect(options="-c TimeZone=UTC") as connection:
        before = dict(all_rows(connection, "SELECT id::text, to_jsonb(l) FROM invoice_lines l"))
        apply(rollback(applied))
        after = dict(all_rows(connection, "SELECT id::text, to_jsonb(l) FROM invoice_lines l"))
        trail = all_rows(
            connection,
            """SELECT record_id::text, old_data, new_data FROM audit_logs
            WHERE action = 'rollback_missing_lines' AND new_data ->> 'run_id' = %s""",
            BACK,
        )
        assert len(trail) == 128
        for record, old, new in trail:
            assert old == before[record]
            assert new["row"] == after.get(record)
            assert new["rolled_back"] == RUN
        undoes = "SELECT undoes FROM ops_console.runs WHERE run_id = %s"
        assert one(connection, undoes, BACK) == RUN


def test_the_undo_of_the_undo(applied: Database) -> None:
    """Undoing a rollback brings every line back as the run had written it, ids and times too."""
    with applied.connect() as connection:
        written = billing.lines_digest(connection)
        apply(rollback(applied))
        again = apply(rollback(applied, BACK, "rollback-0002"))
        assert again.counts == {"delete": 0, "restore": 8, "insert": 120}
        assert billing.lines_digest(connection) == written
        assert billing.verify(applied, "rollback-0002").answer == "pass"
        third = apply(rollback(applied, "rollback-0002", "rollback-0003"))
        assert third.counts == {"delete": 120, "restore": 8, "insert": 0}


def test_a_second_rollback_has_nothing_to_do(applied: Database) -> None:
    """Rolling a run back twice plans nothing the second time."""
    apply(rollback(applied))
    with applied.connect() as connection:
        state = billing.lines_digest(connection)
        operation = rollback(applied, new_run_id="rollback-0002")
        planned = plan(operation)
        assert planned.counts == {"done": 128}
        assert (planned.rows_written, planned.finding_count) == (0, 0)
        apply(operation, planned)
        assert billing.lines_digest(connection) == state


def test_a_plan_of_a_rollback_writes_nothing(applied: Database) -> None:
    """Every user table is the same before and after the plan."""
    with applied.connect() as connection:
        state = billing.everything(connection)
        operation = rollback(applied)
        plan(operation)
        rows(operation)
        operation.close()
        assert billing.everything(connection) == state


def test_an_unknown_run_is_refused(app_database: Database) -> None:
    """A run id without any audit row is an error, not a green nothing."""
    with pytest.raises(BadInput):
        plan(rollback(app_database, "never-ran-1"))


def test_a_rollback_has_a_run_id_of_its_own(applied: Database) -> None:
    """The rollback may not write under the id of the run it undoes."""
    with pytest.raises(RunIdUsed):
        plan(rollback(applied, RUN, RUN))


def edit(connection: Connection, line: str) -> None:
    connection.execute("UPDATE invoice_lines SET amount = amount + 1 WHERE id = %s", (line,))


def delete(connection: Connection, line: str) -> None:
    connection.execute("DELETE FROM invoice_lines WHERE id = %s", (line,))


def refer(connection: Connection, line: str) -> None:
    connection.execute("CREATE TABLE notes (line uuid REFERENCES invoice_lines)")
    connection.execute("INSERT INTO notes VALUES (%s)", (line,))


def refer_cascading(connection: Connection, line: str) -> None:
    connection.execute("CREATE SCHEMA crm")
    connection.execute("CREATE TABLE crm.n (line uuid REFERENCES invoice_lines ON DELETE CASCADE)")
    connection.execute("INSERT INTO crm.n VALUES (%s)", (line,))


def merge_canonical(connection: Connection, line: str) -> None:
    connection.execute(
        "INSERT INTO merge_tombstones (merge_audit_log_id, canonical_id) VALUES (%s, %s)",
        (line, line),
    )


def merge_deleted(connection: Connection, line: str) -> None:
    delete(connection, line)
    connection.execute(
        "INSERT INTO merge_tombstones (merge_audit_log_id, deleted_row_ids) VALUES (%s, %s)",
        (line, [line]),
    )


def cancel_its_invoice(connection: Connection, line: str) -> None:
    cancel(
        connection,
        str(one(connection, "SELECT invoice_id FROM invoice_lines WHERE id = %s", line)),
    )


def lock_its_month(connection: Connection, line: str) -> None:
    lock_month(
        connection,
        str(one(connection, "SELECT invoice_id FROM invoice_lines WHERE id = %s", line)),
    )


def take_the_key(connection: Connection, line: str) -> None:
    connection.execute(
        "CREATE TEMP TABLE kept AS SELECT * FROM invoice_lines WHERE id = %s", [line]
    )
    delete(connection, line)
    connection.execute("UPDATE kept SET id = gen_random_uuid(), amount = 3")
    connection.execute("INSERT INTO invoice_lines SELECT * FROM kept")


CASES: list[tuple[str, Callable[[Connection, str], None], str]] = [
    ("insert", edit, "changed"),
    ("update", edit, "changed"),
    ("update", delete, "gone"),
    ("insert", refer, "referenced"),
    ("insert", refer_cascading, "referenced"),
    ("insert", merge_canonical, "merged"),
    ("update", merge_canonical, "merged"),
    ("update", merge_deleted, "merged"),
    ("update", take_the_key, "key_taken"),
]


@pytest.mark.parametrize(
    ("what", "touch", "expected"), CASES, ids=lambda case: getattr(case, "__name__", case)
)
def test_what_is_not_undone_by_itself(
    applied: Database, what: str, touch: Callable[[Connection, str], None], expected: str
) -> None:
    """A line that others have touched or count on is a conflict of its class and stays as it is."""
    with applied.connect() as connection:
        line = ids(connection, what)[0]
        touch(connection, line)
        image = "SELECT to_jsonb(l)::text FROM invoice_lines l WHERE id = %s"
        before = all_rows(connection, image, line)
        operation = rollback(applied)
        planned = plan(operation)
        assert classes(operation) == {line: expected}
        assert planned.counts[expected] == 1
        assert planned.rows_written == 127
        outcome = apply(operation, planned)
        assert sum(outcome.counts.values()) == 127
        assert all_rows(connection, image, line) == before


@pytest.mark.parametrize("close", [cancel_its_invoice, lock_its_month])
@pytest.mark.parametrize("what", ["insert", "update"])
def test_closed_invoices_keep_their_lines(
    applied: Database, what: str, close: Callable[[Connection, str], None]
) -> None:
    """Lines of cancelled invoices and of locked months stay as the run left them."""
    with applied.connect() as connection:
        line = ids(connection, what)[0]
        close(connection, line)
        operation = rollback(applied)
        plan(operation)
        found = classes(operation)
        assert set(found.values()) == {"closed"}
        assert line in found


def test_an_undone_merge_protects_nothing(applied: Database) -> None:
    """A merge that was taken back is no reason to keep a line."""
    with applied.connect() as connection:
        merge_canonical(connection, ids(connection, "insert")[0])
        connection.execute("UPDATE merge_tombstones SET undone_at = now()")
    assert plan(rollback(applied)).rows_written == 128


def test_a_conflict_shows_three_versions(applied: Database) -> None:
    """A changed line comes with the value before the run, the run's and the current one."""
    with applied.connect() as connection:
        line = ids(connection, "update")[0]
        edit(connection, line)
        operation = rollback(applied)
        plan(operation)
        (row,) = operation.rows(Page(kinds=("changed",)))
        assert row.before and row.after and row.current
        assert len({str(image["amount"]) for image in (row.before, row.after, row.current)}) == 3
        assert row.reason
        assert not row.selected


def test_conflicts_are_decided_one_by_one(applied: Database) -> None:
    """What is named is restored or kept; what is not named stays with the current value."""
    with applied.connect() as connection:
        inserted, updated = ids(connection, "insert"), ids(connection, "update")
        former = dict(
            all_rows(
                connection,
                """SELECT record_id::text, old_data ->> 'amount' FROM audit_logs
                WHERE new_data ->> 'run_id' = %s AND old_data IS NOT NULL""",
                RUN,
            )
        )
        for line in (*inserted[:2], *updated[:2]):
            edit(connection, line)
        delete(connection, updated[2])
        delete(connection, updated[3])
        operation = rollback(
            applied,
            restore=(inserted[0], updated[0], updated[2]),
            keep=(inserted[5], updated[5]),
        )
        planned = plan(operation)
        # 120 - 1 changed - 1 kept; 8 - 1 changed - 2 gone - 1 kept; 1 gone restored
        assert {k: planned.counts[k] for k in ("delete", "restore", "insert")} == {
            "delete": 118, "restore": 4, "insert": 1,
        }  # fmt: skip
        apply(operation, planned)
        live = dict(all_rows(connection, "SELECT id::text, amount::text FROM invoice_lines"))
    assert inserted[0] not in live
    assert {inserted[1], inserted[5]} <= set(live)
    assert live[updated[0]] == former[updated[0]]
    assert live[updated[1]] != former[updated[1]]
    assert live[updated[2]] == former[updated[2]]
    assert updated[3] not in live
    assert live[updated[5]] != former[updated[5]]
    assert live[updated[6]] == former[updated[6]]
    assert billing.verify(applied, BACK).answer == "pass"


@pytest.mark.parametrize("move", [edit, delete])
@pytest.mark.parametrize("what", ["insert", "update"])
def test_an_edit_between_plan_and_apply(
    applied: Database, what: str, move: Callable[[Connection, str], None]
) -> None:
    """A rollback whose lines moved meanwhile is refused as a whole."""
    operation = rollback(applied)
    planned = plan(operation)
    with applied.connect() as connection:
        move(connection, ids(connection, what)[-1])
        state = billing.lines_digest(connection)
        with pytest.raises(Moved) as refusal:
            apply(operation, planned)
        assert len(refusal.value.findings) == 1
        assert billing.lines_digest(connection) == state
        assert billing.traces(connection, BACK) == (0, 0)


@pytest.mark.parametrize(
    "touch", [refer, merge_canonical, cancel_its_invoice, lock_its_month],
    ids=lambda touch: touch.__name__,
)  # fmt: skip
def test_a_line_that_becomes_protected_meanwhile(
    applied: Database, touch: Callable[[Connection, str], None]
) -> None:
    """What protects a line protects it also when it comes between plan and apply."""
    operation = rollback(applied)
    planned = plan(operation)
    with applied.connect() as connection:
        touch(connection, ids(connection, "insert")[0])
        state = billing.lines_digest(connection)
        with pytest.raises(Exception, match=r".") as refusal:
            apply(operation, planned)
        assert refusal.type.__name__ in {"Moved", "CouldNotRun"}
        assert billing.lines_digest(connection) == state
        assert billing.traces(connection, BACK) == (0, 0)


def test_a_reference_that_would_go_silently(applied: Database) -> None:
    """A row that a cascade would delete with the line stops a rollback planned before it came."""
    with applied.connect() as connection:
        connection.execute(
            "CREATE TABLE notes (line uuid REFERENCES invoice_lines ON DELETE CASCADE)"
        )
        operation = rollback(applied)
        planned = plan(operation)
        assert planned.rows_written == 128
        connection.execute("INSERT INTO notes VALUES (%s)", (ids(connection, "insert")[0],))
        with pytest.raises(Moved):
            apply(operation, planned)
        assert one(connection, "SELECT count(*) FROM notes") == 1


def test_a_run_of_the_older_tool(both_schemas: Database) -> None:
    """Its inserts can be taken back; its updates have no true former value and need a human."""
    operation = rollback(both_schemas, OLDER_RUN)
    planned = plan(operation)
    assert planned.counts == {"delete": 5, "manual": 3}
    assert set(classes(operation).values()) == {"manual"}
    with both_schemas.connect() as connection:
        before = one(connection, "SELECT count(*) FROM invoice_lines")
        assert apply(operation, planned).counts == {"delete": 5, "restore": 0, "insert": 0}
        assert one(connection, "SELECT count(*) FROM invoice_lines") == before - 5


def test_a_changed_line_of_the_older_tool(both_schemas: Database) -> None:
    """An insert of the older tool whose amount differs by now is a conflict."""
    with both_schemas.connect() as connection:
        line = one(
            connection,
            """SELECT record_id::text FROM audit_logs WHERE new_data ->> 'run_id' = %s
            AND new_data ->> 'operation' = 'insert' ORDER BY created_at LIMIT 1""",
            OLDER_RUN,
        )
        edit(connection, line)
    operation = rollback(both_schemas, OLDER_RUN)
    assert plan(operation).counts == {"delete": 4, "changed": 1, "manual": 3}


def test_audit_rows_that_name_no_line(app_database: Database) -> None:
    """A record id that is no uuid, or a line named twice, is listed and harms nothing else."""
    with app_database.connect() as connection:
        apply(upsert(app_database, app_database.csv))
        twice = ids(connection, "update")[0]
        for record, operation in (("manual-batch-1", "insert"), (twice, "update"), (None, "x")):
            connection.execute(
                """INSERT INTO audit_logs (action, table_name, record_id, new_data)
                VALUES ('upsert_missing_lines', 'invoice_lines', %s,
                        jsonb_build_object('run_id', %s::text, 'operation', %s::text))""",
                (record, RUN, operation),
            )
        rolled = rollback(app_database)
        planned = plan(rolled)
        assert planned.counts == {"delete": 120, "restore": 7, "unreadable": 4}
        assert rolled.findings(0, 100)
        assert rows(rolled)
        apply(rolled, planned)
    assert billing.verify(app_database, BACK).answer == "pass"


def test_a_line_written_by_two_runs(both_schemas: Database, tmp_path: Any) -> None:
    """Undoing the older of two runs leaves alone what the newer one has changed since."""
    apply(upsert(both_schemas, both_schemas.csv))
    text = both_schemas.csv.read_text()
    first = text.splitlines()[1].split(",")
    second = [*first[:4], "99.99", *first[5:]]
    path = tmp_path / "lines.csv"
    path.write_text(f"{text.splitlines()[0]}\n{','.join(second)}\n")
    assert apply(upsert(both_schemas, path, "second-run-1")).counts == {"insert": 0, "update": 1}
    operation = rollback(both_schemas)
    planned = plan(operation)
    assert planned.counts["changed"] == 1
    apply(operation, planned)
    with both_schemas.connect() as connection:
        kept = "SELECT count(*) FROM invoice_lines WHERE invoice_id = %s AND amount = 99.99"
        assert one(connection, kept, first[0]) == 1
    assert plan(rollback(both_schemas, "second-run-1", "rollback-0003")).rows_written == 1


@pytest.mark.parametrize("decision", ["restore", "keep"])
def test_a_decision_about_a_stranger(applied: Database, decision: str) -> None:
    """A decision that names no line of the run is refused instead of being left aside."""
    stranger = "00000000-0000-4000-8000-00000000dead"
    with pytest.raises(BadInput, match=stranger):
        plan(rollback(applied, **{decision: (stranger,)}))


def test_a_clean_line_is_not_to_be_decided(applied: Database) -> None:
    """Restoring names conflicts; a clean line is undone anyway."""
    with applied.connect() as connection:
        clean = ids(connection, "insert")[0]
    with pytest.raises(BadInput, match=clean):
        plan(rollback(applied, restore=(clean,)))
