"""Who holds up whom, asked of a real server."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from pydantic import SecretStr

from console.database.activity import waits_for
from console.desk import Desk
from console.settings import Environment, Settings
from tests.database.conftest import Database

LOCK = "SELECT 1 FROM monthly_invoices ORDER BY id LIMIT 1 FOR UPDATE"


@pytest.fixture
def desk(app_database: Database) -> Desk:
    environment = Environment(kind="sandbox", database_url=SecretStr(app_database.url))
    return Desk("demo", environment, Settings(), operator="tester")


@pytest.fixture
def holder(app_database: Database) -> Iterator[psycopg.Connection]:
    """Holds a row lock in an open transaction, under a name of its own."""
    with app_database.connect(autocommit=False, application_name="report_job") as connection:
        connection.execute(LOCK)
        yield connection


def test_a_blocker_is_named(desk: Desk, holder: psycopg.Connection, app_database: Database) -> None:
    """A process that waits for a row lock is told apart, with pid, name and state of the holder."""
    with app_database.connect() as waiter:
        pid = waiter.info.backend_pid
        thread = threading.Thread(target=waiter.execute, args=(LOCK,))
        thread.start()
        said = ""
        while not said:
            said = waits_for(desk, pid)
        holder.rollback()
        thread.join()
        assert f"waiting for pid {holder.info.backend_pid} (report_job, idle in trans" in said
        assert waits_for(desk, pid) == ""


def test_a_process_that_is_gone_waits_for_nothing(desk: Desk) -> None:
    """An unknown process is no error."""
    assert waits_for(desk, 1) == ""
