"""What moves between plan and apply, and who else is at work."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.billing.staging import Staging
from console.errors import Busy, ConsoleError, Moved, RunIdUsed
from tests.database import billing
from tests.database.billing import Connection, apply, one, plan, rows, upsert
from tests.database.conftest import Database
from tests.database.guarding import HOLD, untouched
from tests.database.lines_kit import cancel, fresh, lock_month, with_cell


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
