"""What a server process waits for, and who holds it up."""

from __future__ import annotations

from console.database.connect import Row, run, transaction
from console.desk import Desk
from console.text import duration


def waits_for(desk: Desk, pid: int) -> str:
    """Say what the process waits for and who blocks it; empty while it works.

    Raises `ConsoleError` when the server cannot be asked.
    """
    with desk.reader("activity") as connection, transaction(connection) as cursor:
        rows = run(cursor, "server/activity", "waits", pid=pid).fetchall()
    blockers = [_blocker(row) for row in rows if row["blocker"] is not None]
    if blockers:
        return f"waiting for {', '.join(blockers)}"
    # A blocker of another role may be hidden from this one.
    return f"waiting for a {rows[0]['lock']} lock" if rows and rows[0]["waits"] else ""


def _blocker(row: Row) -> str:
    who = row["application"] or row["role"] or "unknown"
    state = row["state"] or "state hidden"
    since = f" {duration(row['seconds'])}" if row["seconds"] is not None else ""
    return f"pid {row['blocker']} ({who}, {state}{since})"
