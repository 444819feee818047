"""The rollback of a run: what it restores, and what it says about itself."""

from typing import Any

import pytest

from console.billing.rollback import RollbackOperation, RollbackRun
from console.errors import BadInput, RunIdUsed
from tests.database import billing
from tests.database.billing import (
    OLDER_RUN,
    RUN,
    all_rows,
    apply,
    one,
    plan,
    rollback,
    rows,
    upsert,
)
from tests.database.conftest import Database
from tests.database.rollback_kit import BACK, classes, edit, ids


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


def test_the_operation_names_its_own_undo(both_schemas: Database) -> None:
    """The undo of an outcome is a command whose plan takes all of it back."""
    with both_schemas.connect() as connection:
        state = billing.lines_digest(connection)
        operation = billing.upsert(both_schemas, both_schemas.csv)
        outcome = apply(operation)
        assert billing.lines_digest(connection) != state
        command = operation.undo(outcome, "undo-of-it-0001")
        assert isinstance(command, RollbackRun)
        apply(RollbackOperation(billing.desk(both_schemas), command))
        assert billing.lines_digest(connection) == state
