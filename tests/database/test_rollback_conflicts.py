"""What a rollback leaves alone: changed, gone and protected lines."""

from collections.abc import Callable

import pytest

from console.errors import Moved
from console.operation import Page
from tests.database import billing
from tests.database.billing import (
    RUN,
    Connection,
    all_rows,
    apply,
    one,
    plan,
    rollback,
)
from tests.database.conftest import Database
from tests.database.lines_kit import cancel, lock_month
from tests.database.rollback_kit import BACK, classes, edit, ids


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
