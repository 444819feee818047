"""What the tests of stops share: waiting for a server process, and the verdict on a run."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from console.billing.writing import LineWriter
from console.database.ledger import settle
from console.errors import ConsoleError, CouldNotRun
from console.operation import (
    Event,
)
from tests.database import billing
from tests.database.billing import RUN, Connection, one
from tests.database.conftest import Database

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


def terminate(connection: Connection, pid: int) -> None:
    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


@contextmanager
def at(operation: LineWriter, kind: type[Event]) -> Iterator[None]:
    """Expect the apply to fail without a verdict of success, after this kind of event."""
    with pytest.raises(CouldNotRun) as refusal:
        yield
    assert not isinstance(refusal.value.__cause__, ConsoleError)
    assert refusal.value.message
