"""Stopping and losing an apply: whatever happens before COMMIT, zero rows are left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from console.billing.writing import LineWriter
from console.database.ledger import Settled, settle
from console.errors import Busy, ConsoleError, CouldNotRun, Stopped
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
from tests.database.billing import RUN, Connection, apply, one, plan, rollback, upsert
from tests.database.conftest import Database
from tests.database.test_upsert_apply import untouched

WAITING = """SELECT count(*) FROM pg_stat_activity
WHERE pid = %s AND state = 'active' AND wait_event_type IN ('Lock', 'Timeout')"""
SLOW = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
CREATE TRIGGER zz_slow AFTER {} ON invoice_lines FOR EACH STATEMENT EXECUTE FUNCTION slowly();
"""


def verdict(database: Database, run_id: str = RUN) -> str:
    """What the ledger says of the run once and for all."""
    return settle(billing.desk(database), run_id).verdict


def pid_of(operation: LineWriter) -> int:
    """The server process of the operation that has been planned."""
    connection = operation._connection
    assert connection is not None
    return connection.info.backend_pid


def when_waiting(connection: Connection, pid: int, act: Callable[[], object]) -> threading.Thread:
    """Act from another thread as soon as the server process waits for something."""

    def watch() -> None:
        while not one(connection, WAITING, pid):
            time.sleep(0.002)
        act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def gone(connection: Connection, pid: int) -> bool:
    """True once the server process has ended."""
    while one(connection, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid):
        time.sleep(0.002)
    return True


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


def terminate(connection: Connection, pid: int) -> None:
    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


@contextmanager
def at(operation: LineWriter, kind: type[Event]) -> Iterator[None]:
    """Expect the apply to fail without a verdict of success, after this kind of event."""
    with pytest.raises(CouldNotRun) as refusal:
        yield
    assert not isinstance(refusal.value.__cause__, ConsoleError)
    assert refusal.value.message


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


def test_an_abandoned_walk(both_schemas: Database) -> None:
    """Whoever walks away in the middle of an apply leaves nothing and holds no lock."""
    operation = upsert(both_schemas, both_schemas.csv, batch_size=20)
    planned = plan(operation)
    with untouched(both_schemas) as connection:
        pid = pid_of(operation)
        events = operation.apply(planned, "head")
        while not isinstance(next(events), BatchWritten):
            pass
        events.close()  # type: ignore[attr-defined]  # a generator, as `apply` says
        assert gone(connection, pid)
    assert verdict(both_schemas) == "abandoned"


def test_an_abandoned_run_can_never_commit(both_schemas: Database) -> None:
    """Once settled as abandoned, the run's own apply is refused for good."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    with untouched(both_schemas):
        assert verdict(both_schemas) == "abandoned"
        with pytest.raises(ConsoleError, match="already been used"):
            apply(operation, planned)
        assert verdict(both_schemas) == "abandoned"


def test_settling_waits_for_a_run_that_still_lives(both_schemas: Database) -> None:
    """While the transaction lives nobody guesses: unknown at first, the truth afterwards."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    events = operation.apply(planned, "head")
    while not isinstance(next(events), CommitSent):
        pass
    answers: list[Settled] = []
    at_desk = billing.desk(both_schemas)
    asking = threading.Thread(target=lambda: answers.append(settle(at_desk, RUN)))
    asking.start()
    with both_schemas.connect() as connection:
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        while not one(connection, blocked):
            time.sleep(0.002)
    assert answers == []
    assert isinstance(list(events)[-1], Applied)
    asking.join()
    assert answers[0].verdict == "applied"
    assert answers[0].at is not None


def test_settling_says_unknown_when_it_cannot_ask(both_schemas: Database) -> None:
    """A server out of reach is no verdict."""
    nowhere = billing.desk("host=127.0.0.1 port=1 dbname=x")
    assert settle(nowhere, RUN, wait_seconds=0).verdict == "unknown"


def test_a_lost_answer_of_a_commit_that_went_through(
    both_schemas: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where COMMIT was done but its answer lost, the ledger says applied, and so does the apply."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    connection = operation._connection
    assert connection is not None
    commit = type(connection).commit

    def commit_and_lose(self: psycopg.Connection[object]) -> None:
        commit(self)  # type: ignore[arg-type]  # the same class
        if self is connection:
            self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(type(connection), "commit", commit_and_lose)
    outcome = apply(operation, planned)
    assert outcome.counts == {"insert": 120, "update": 8}
    monkeypatch.undo()
    assert verdict(both_schemas) == "applied"
    with both_schemas.connect() as reader:
        assert billing.traces(reader) == (129, 1)


def test_a_stopped_rollback(both_schemas: Database) -> None:
    """A rollback can be stopped like an upsert, and leaves the run as it was."""
    apply(upsert(both_schemas, both_schemas.csv))
    with untouched(both_schemas, "rollback-0001") as connection:
        connection.execute(SLOW.format("DELETE"))
        operation = rollback(both_schemas)
        planned = plan(operation)
        watcher = when_waiting(connection, pid_of(operation), operation.stop.request)
        with pytest.raises(Stopped):
            apply(operation, planned)
        watcher.join()
    assert verdict(both_schemas, "rollback-0001") == "abandoned"


def test_a_busy_run_is_not_lost(both_schemas: Database) -> None:
    """An apply refused as busy can be planned and applied again under the same run id."""
    operation = upsert(both_schemas, both_schemas.csv)
    planned = plan(operation)
    with both_schemas.connect(autocommit=False) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(hashtextextended('ops_console writes', 0))")
        with pytest.raises(Busy):
            apply(operation, planned)
    assert apply(upsert(both_schemas, both_schemas.csv)).counts == {"insert": 120, "update": 8}
