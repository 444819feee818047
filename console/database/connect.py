"""Connections: read-only unless said otherwise, with time-outs and errors in our own words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import conninfo, errors, sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from console.database.queries import query
from console.errors import BadInput, Busy, ConsoleError, CouldNotRun, Moved, Stopped

# Without these a silent network holds a connection for hours.
KEEPALIVE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20000,
}

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


def connect(target: str, purpose: str, *, read_only: bool = True) -> Connection:
    """Open a connection named after its purpose; `CouldNotRun` when the server is out of reach.

    Prepared statements are off, so that a transaction pooler in between does no harm.
    """
    try:
        wanted = {**KEEPALIVE, **conninfo.conninfo_to_dict(target)}
    except psycopg.ProgrammingError:
        raise BadInput("The database URL cannot be understood.") from None
    wanted["application_name"] = f"ops-console {purpose}"[:63]
    with database_errors():
        connection = psycopg.connect(
            **wanted, autocommit=False, prepare_threshold=None, row_factory=dict_row
        )
    set_json_loads(_exact_json, connection)
    connection.read_only = read_only
    return connection


def _exact_json(text: str | bytes) -> Any:
    """JSON with its numbers as `Decimal`, because amounts travel in images."""
    return json.loads(text, parse_float=Decimal)


@contextmanager
def transaction(
    connection: Connection, *, statement_seconds: int = 60, lock_seconds: int = 3
) -> Iterator[psycopg.Cursor[Row]]:
    """One transaction with local time-outs, UTC and ISO dates; leaving the block rolls back.

    `connection.commit()` is said out loud by whoever means it.
    """
    with database_errors(), connection.cursor() as cursor:
        try:
            run(
                cursor,
                "server/transaction",
                "set_local_settings",
                statement=f"{statement_seconds}s",
                lock=f"{lock_seconds}s",
            )
            yield cursor
        finally:
            if not connection.closed:
                connection.rollback()


def run(
    cursor: psycopg.Cursor[Row],
    path: str,
    name: str,
    /,
    parts: Mapping[str, sql.Composable] | None = None,
    **values: Any,
) -> psycopg.Cursor[Row]:
    """Run one named statement of `sql/` with bound values and identifiers."""
    return cursor.execute(compose(path, name, parts), values or None)


def compose(
    path: str, name: str, parts: Mapping[str, sql.Composable] | None = None
) -> sql.Composed:
    """A named statement with its identifiers and fragments filled in."""
    return sql.SQL(query(path, name).text).format(**(parts or {}))


def columns(names: Iterable[str]) -> sql.Composed:
    """A list of column names for a placeholder."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


@contextmanager
def database_errors() -> Iterator[None]:
    """Translate the driver's errors once, at its edge, with the cause kept."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from error
    except UnicodeEncodeError as error:
        raise BadInput("A text holds characters that are not valid Unicode.") from error


def translate(error: psycopg.Error) -> ConsoleError:
    """The console's word for a driver's error; unknown ones are `CouldNotRun`."""
    said = (error.diag.message_primary or str(error)).strip().splitlines()[0]
    match error:
        case errors.QueryCanceled():
            # A cancel and statement_timeout share one code; whoever asked to stop knows better.
            return CouldNotRun(f"The server ended the statement: {said}.")
        case errors.LockNotAvailable():
            return Busy(
                f"A lock was not free in time: {said}.",
                next_step="Wait for whoever holds it, or have it ended; then plan and apply again.",
            )
        case errors.SerializationFailure() | errors.DeadlockDetected():
            return Moved(f"Another transaction got in between: {said}.", next_step="Plan again.")
        case errors.UniqueViolation():
            return Moved(f"The key is already taken: {said}.", next_step="Plan again.")
        case errors.InsufficientPrivilege():
            return CouldNotRun(
                f"The database role lacks a right: {said}.",
                next_step="Have it granted, or use the role that the runbook names.",
            )
        case errors.ReadOnlySqlTransaction():
            return CouldNotRun(f"The connection is read-only: {said}.")
        case psycopg.OperationalError() if error.sqlstate is None:
            return CouldNotRun(
                f"PostgreSQL: {said}.",
                next_step="Check that the server is up and that the target names it.",
            )
        case _:
            return CouldNotRun(f"PostgreSQL: {said}.")


def stopped(error: ConsoleError, asked: bool) -> ConsoleError:
    """A cancelled statement is `Stopped` when we asked for the cancel; raise it from its cause."""
    canceled = isinstance(error.__cause__, errors.QueryCanceled)
    return Stopped() if asked and canceled else error
