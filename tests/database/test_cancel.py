"""Stops, lost connections and errors of the server: what is left is nothing."""

import psycopg
import pytest

from console.errors import ConsoleError, CouldNotRun, Stopped
from console.operation import (
    Applied,
    BackendKnown,
    BatchWritten,
    CommitSent,
    Event,
    Measured,
    Progress,
)
from tests.database import billing
from tests.database.billing import apply, plan, upsert
from tests.database.cancel_kit import SLOW, at, gone, pid_of, terminate, verdict, when_waiting
from tests.database.conftest import Database
from tests.database.guarding import untouched


@pytest.mark.parametrize("batches", [0, 1, 3, 7])
def test_a_stop_between_batches(both_schemas: Database, batches: int) -> None:
    """Asked to stop between two batches, the apply ends and nothing of it is left."""
    operation = upsert(both_schemas, both_schemas.csv, batch_size=20)
    planned = plan(operation)
    seen = 0
    with untouched(both_schemas) as connection:
        pid = pid_of(operation)
        with pytest.raises(Stopped):
            for event in operation.apply(planned, "head"):
                seen += isinstance(event, BatchWritten)
                if seen >= batches:
                    operation.stop.request()
        assert gone(connection, pid)
    assert verdict(both_schemas) == "abandoned"


def test_an_apply_says_which_process_it_is(both_schemas: Database) -> None:
    """Before the first lock is asked for, a watcher knows whom to ask about."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    pid = pid_of(operation)
    events = list(operation.apply(planned, "head"))
    assert events[0] == BackendKnown(pid)


def test_a_stop_while_the_plan_is_made(both_schemas: Database) -> None:
    """A plan that is stopped gives back its connection and leaves nothing."""
    operation = upsert(both_schemas, both_schemas.csv)
    with untouched(both_schemas) as connection:
        pid = 0
        with pytest.raises(Stopped):
            for event in operation.plan():
                if isinstance(event, BackendKnown):
                    pid = event.pid
                if isinstance(event, Progress):
                    operation.stop.request()
        assert gone(connection, pid)


@pytest.mark.parametrize("statement", ["INSERT", "UPDATE"])
def test_a_stop_inside_a_statement(both_schemas: Database, statement: str) -> None:
    """A statement in flight is ended on the server, and the apply says that it was stopped."""
    with untouched(both_schemas) as connection:
        connection.execute(SLOW.format(statement))
        operation = upsert(both_schemas, both_schemas.csv)
        planned = plan(operation)
        pid = pid_of(operation)
        watcher = when_waiting(connection, pid, operation.stop.request)
        with pytest.raises(Stopped) as stop:
            apply(operation, planned)
        watcher.join()
        assert isinstance(stop.value.__cause__, psycopg.errors.QueryCanceled)
        assert gone(connection, pid)
    assert verdict(both_schemas) == "abandoned"


def test_a_stop_while_waiting_for_a_lock(both_schemas: Database) -> None:
    """Waiting for another's lock can be stopped, too."""
    operation = upsert(billing.desk(both_schemas, lock_timeout_seconds=600), both_schemas.csv)
    planned = plan(operation)
    with (
        untouched(both_schemas) as connection,
        both_schemas.connect(autocommit=False) as holder,
    ):
        holder.execute("SELECT FROM monthly_invoices FOR UPDATE")
        watcher = when_waiting(connection, pid_of(operation), operation.stop.request)
        with pytest.raises(Stopped):
            apply(operation, planned)
        watcher.join()
        holder.rollback()


def test_a_statement_that_takes_too_long(both_schemas: Database) -> None:
    """The time-out of a statement is an error of its own, not a stop that somebody asked for."""
    with untouched(both_schemas) as connection:
        connection.execute(SLOW.format("INSERT"))
        operation = upsert(
            billing.desk(both_schemas, statement_timeout_seconds=1), both_schemas.csv
        )
        planned = plan(operation)
        with pytest.raises(CouldNotRun, match="statement") as refusal:
            apply(operation, planned)
        assert isinstance(refusal.value.__cause__, psycopg.errors.QueryCanceled)
    assert verdict(both_schemas) == "abandoned"


@pytest.mark.parametrize("moment", [Progress, BatchWritten, Measured, CommitSent])
def test_a_lost_backend(both_schemas: Database, moment: type[Event]) -> None:
    """A server process that dies before COMMIT leaves nothing, also just before COMMIT is said."""
    operation = upsert(both_schemas, both_schemas.csv, batch_size=50)
    planned = plan(operation)
    with untouched(both_schemas) as connection:
        pid, hit = pid_of(operation), False
        with at(operation, moment):
            for event in operation.apply(planned, "head"):
                assert not isinstance(event, Applied)
                if isinstance(event, moment) and not hit:
                    hit = True
                    terminate(connection, pid)
                    assert gone(connection, pid)
        assert hit
    assert verdict(both_schemas) == "abandoned"


def test_a_backend_lost_between_plan_and_apply(both_schemas: Database) -> None:
    """A plan whose connection died meanwhile is not applied."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    with untouched(both_schemas) as connection:
        terminate(connection, pid_of(operation))
        with pytest.raises(ConsoleError):
            apply(operation, planned)


FAILING = """
CREATE SEQUENCE fails;
CREATE FUNCTION failing() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN {} RETURN NULL; END $$;
CREATE {} zz_failing AFTER INSERT ON {} {} FOR EACH ROW EXECUTE FUNCTION failing();
"""


ONCE = "IF nextval('fails') > 70 THEN RAISE EXCEPTION 'disk is full'; END IF;"


ALWAYS = "RAISE EXCEPTION 'disk is full';"


@pytest.mark.parametrize(
    ("body", "kind", "table", "when"),
    [
        (ONCE, "TRIGGER", "invoice_lines", ""),
        (ALWAYS, "CONSTRAINT TRIGGER", "invoice_lines", "DEFERRABLE INITIALLY DEFERRED"),
        (ALWAYS, "TRIGGER", "ops_console.runs", ""),
    ],
    ids=["in a batch", "at COMMIT", "at the marker"],
)
def test_an_error_of_the_server(
    both_schemas: Database, body: str, kind: str, table: str, when: str
) -> None:
    """An error in the middle, at the marker or at COMMIT itself leaves nothing and is told."""
    with untouched(both_schemas) as connection:
        connection.execute(FAILING.format(body, kind, table, when))
        operation = upsert(both_schemas, both_schemas.csv, batch_size=10)
        planned = plan(operation)
        with pytest.raises(CouldNotRun) as refusal:
            apply(operation, planned)
        assert isinstance(refusal.value.__cause__, psycopg.Error)
        connection.execute("DROP FUNCTION failing CASCADE")
    assert verdict(both_schemas) == "abandoned"
