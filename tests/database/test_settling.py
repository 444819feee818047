"""What became of a run whose answer was lost: settled, never guessed."""

import threading
import time

import psycopg
import pytest

from console.database.ledger import Settled, settle
from console.errors import Busy, ConsoleError, Stopped
from console.operation import (
    Applied,
    BatchWritten,
    CommitSent,
)
from tests.database import billing
from tests.database.billing import RUN, apply, one, plan, rollback, upsert
from tests.database.cancel_kit import (
    SLOW,
    gone,
    pid_of,
    verdict,
    when_waiting,
)
from tests.database.conftest import Database
from tests.database.guarding import untouched


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
