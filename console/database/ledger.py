"""The ledger of runs: each writing transaction's marker, and how a lost COMMIT is settled."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from console.database.connect import (
    Connection,
    Row,
    columns,
    compose,
    connect,
    database_errors,
    run,
    transaction,
)
from console.desk import Desk
from console.errors import Busy, CouldNotRun, InDoubt, Moved, Refused, RunIdUsed
from console.operation import CommitSent, Event, Plan
from console.paths import sql_root

MIGRATION = ("migrations", "0001_ledger.sql")
Verdict = Literal["applied", "abandoned", "unknown"]

_Cursor = psycopg.Cursor[Row]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a run; an abandoned one did not commit and cannot any more."""

    run_id: str
    verdict: Verdict
    at: datetime | None = None
    transaction_id: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A writing transaction whose marker is in: its id and the first free moment for audit rows."""

    transaction_id: str
    audit_base: datetime


def ledger_sql() -> str:
    """The SQL that makes the console's own schema, to be run once by an owner."""
    return sql_root().joinpath(*MIGRATION).read_text(encoding="utf-8")


def grants_sql(role: str) -> str:
    """The SQL that lets a role enter its runs in the ledger, and no more."""
    to = {"role": sql.Identifier(role)}
    grants = (compose("server/ledger", name, to) for name in ("grant_schema", "grant_ledger"))
    return "".join(f"{grant.as_string()};\n" for grant in grants)


def install(connection: Connection) -> None:
    """Make the console's own schema in a transaction of its own."""
    with transaction(connection) as cursor:
        cursor.execute(sql.SQL(ledger_sql()))
        connection.commit()


def open_run(cursor: _Cursor, desk: Desk, plan: Plan, log_head: str) -> Opened:
    """Write the marker, take the lock, and see that this is still the plan's database.

    Raises `RunIdUsed`, `Busy` or `Moved`; in each case the transaction must be left.
    """
    marked = run(
        cursor,
        "server/ledger",
        "mark",
        run_id=plan.run_id,
        operation=plan.operation,
        digest=plan.digest,
        counts=Jsonb(dict(plan.counts)),
        money=Jsonb({k: str(v) for k, v in plan.money.items()}),
        undoes=plan.undoes or None,
        retry_of=plan.retry_of or None,
        session_id=desk.session_id,
        log_head=log_head,
        operator=desk.operator,
        reason=desk.reason,
    ).fetchone()
    if marked is None:
        raise RunIdUsed(
            f"Run id {plan.run_id} has already been used; nothing was changed.",
            next_step="Plan again under a new run id, to keep the audit trail distinct.",
        )
    _take_lock(cursor)
    _same_server(cursor, plan)
    base = run(cursor, "server/ledger", "audit_base").fetchone()
    assert base is not None  # noqa: S101 - an aggregate always answers
    return Opened(marked["transaction_id"], base["base"])


def start_audit(cursor: _Cursor, desk: Desk, plan: Plan, opened: Opened, log_head: str) -> None:
    """Write the audit row that opens the run.

    Its plan is pinned to the index: a trigger that looks for the newest audit row keeps the plan of
    its first call, and a sort for each row would make a batch quadratic.
    """
    facts = {
        "run_id": plan.run_id,
        "operation": plan.operation,
        "plan": plan.digest,
        "session": desk.session_id,
        "log_head": log_head,
        "operator": desk.operator,
        "reason": desk.reason,
    }
    run(cursor, "server/ledger", "pin_index_plan")
    run(
        cursor,
        "server/ledger",
        "start_audit",
        {"columns": columns(desk.schema.audit_columns)},
        facts=json.dumps(facts),
        base=opened.audit_base,
        run_id=plan.run_id,
    )
    run(cursor, "server/ledger", "unpin")


def guard(
    planned: Mapping[str, int], counts: Mapping[str, int], plan: Plan, money: Decimal
) -> None:
    """Compare what was written with what was planned; a difference must roll back."""
    expected = sum(plan.money.values(), Decimal(0))
    if dict(planned) != dict(counts) or money != expected:
        raise Moved(
            f"Written {dict(counts)} and {money}, planned {dict(planned)} and {expected}; "
            "rolled back, nothing was changed.",
            next_step="Plan again; if it happens twice, look for triggers on the table.",
        )


def commit(desk: Desk, connection: Connection, run_id: str) -> Iterator[Event]:
    """Say COMMIT; where the answer is lost, settle it before anything else is said."""
    yield CommitSent(run_id)
    try:
        connection.commit()
    except psycopg.Error as error:
        settled = settle(desk, run_id)
        if settled.verdict == "unknown":
            raise InDoubt from error
        if settled.verdict == "abandoned":
            raise CouldNotRun(
                f"Run {run_id} did not commit and cannot any more; nothing was changed.",
                next_step="Plan again under a new run id.",
            ) from error


def settle(desk: Desk, run_id: str, *, wait_seconds: float = 40.0) -> Settled:
    """Find out what became of a run by putting a tombstone in its marker's place.

    The insert waits while the old transaction lives; once the tombstone stands, the run can never
    commit. `unknown` means that the server could not be asked in time.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return _fence(desk, run_id)
        except (CouldNotRun, Refused):
            if time.monotonic() > deadline:
                return Settled(run_id, "unknown")
            time.sleep(0.2)


def _fence(desk: Desk, run_id: str) -> Settled:
    connection = connect(desk.environment.conninfo(), "settles", read_only=False)
    try:
        with transaction(connection, statement_seconds=10, lock_seconds=5) as cursor:
            _same_primary(cursor, desk)
            if not run(cursor, "server/preflight", "ledger_exists").fetchone()["present"]:  # type: ignore[index]  # one row always
                return Settled(run_id, "abandoned")
            run(cursor, "server/ledger", "fence", run_id=run_id, operator=desk.operator)
            connection.commit()
            row = run(cursor, "server/ledger", "verdict", run_id=run_id).fetchone()
        if row is None:
            raise CouldNotRun
        return Settled(run_id, row["verdict"], row["marked_at"], row["transaction_id"])
    finally:
        connection.close()


def _same_primary(cursor: _Cursor, desk: Desk) -> None:
    """A tombstone in another database would fence nothing."""
    row = run(cursor, "server/ledger", "identity").fetchone()
    if row is None or row["in_recovery"]:
        raise CouldNotRun(
            "The server is a standby; only the primary can settle a run.",
            next_step="Name the primary in the environment, then settle again.",
        )
    if row["server_id"] != desk.schema.server_id:
        raise CouldNotRun(
            "The connection leads to another database than the run's.",
            next_step="Name the run's own environment, then settle again.",
        )


def recorded(connection: Connection, run_id: str) -> Row | None:
    """Read a run's ledger row, if it has one."""
    with transaction(connection) as cursor:
        return run(cursor, "server/ledger", "verdict", run_id=run_id).fetchone()


def log_heads(connection: Connection, session: str) -> list[tuple[str, str]]:
    """The heads of a session's log that its runs have kept, as (run id, hash)."""
    with transaction(connection) as cursor:
        rows = run(cursor, "server/ledger", "log_heads", session=session).fetchall()
    return [(row["run_id"], row["log_head"]) for row in rows]


def _take_lock(cursor: _Cursor) -> None:
    taken = run(cursor, "server/ledger", "try_lock").fetchone()
    if taken and taken["taken"]:
        return
    holder = run(cursor, "server/ledger", "holder").fetchone()
    who = "another operator"
    if holder:
        # An ordinary role may not see since when another role's transaction runs.
        since = f", since {holder['xact_start']:%H:%M:%S} UTC" if holder["xact_start"] else ""
        who = f"pid {holder['pid']} ({holder['role']}{since})"
    raise Busy(
        f"The console's writing lock is held by {who}; nothing was changed.",
        next_step="Wait until that operation has ended, then apply again.",
    )


def _same_server(cursor: _Cursor, plan: Plan) -> None:
    with database_errors():
        row = run(cursor, "server/ledger", "identity").fetchone()
    if row is None or row["server_id"] != plan.target.server_id or row["in_recovery"]:
        raise Moved(
            "This is not the database that the plan was made for; nothing was changed.",
            next_step="Check the environment, then plan again.",
        )
