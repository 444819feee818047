"""Signals, kills and passwords: what a process leaves behind when it ends early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.database.cli_kit import OLDER, ROOT, RUN, Result, Shell, state
from tests.database.conftest import Database

SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.25); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT OR UPDATE ON invoice_lines
FOR EACH ROW EXECUTE FUNCTION slow();
"""
CANARY = "canary-3f1c-ä/&"
QUOTED = "canary-3f1c-%C3%A4%2F%26"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(shell: Shell) -> Iterator[Start]:
    """Start a slow batch-upsert with a password in its URL, in a process of its own."""
    started: list[subprocess.Popen[str]] = []
    with shell.database.connect() as connection:
        connection.execute(SLOW)
    url = shell.database.url.replace("postgres@", f"postgres:{QUOTED}@")
    assert QUOTED in url

    def begin(*options: str) -> subprocess.Popen[str]:
        words = ["batch-upsert", "--csv", str(shell.database.csv), "--run-id", RUN]
        words += ["--database-url", url, "--batch-size", "1"]
        process = subprocess.Popen(
            [sys.executable, "-m", "console", *shell.globals, *options, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        started.append(process)
        _wait_for("wait_event = 'PgSleep'", shell.database, process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def _wait_for(what: str, database: Database, process: subprocess.Popen[str]) -> None:
    """Return once some statement in the database waits like that."""
    with database.connect() as connection:
        for _ in range(3000):
            assert process.poll() is None, process.communicate()
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                f" AND {what}"
            ).fetchone()
            if row is not None and row[0]:
                return
            time.sleep(0.01)
    raise AssertionError(f"never: {what}")


def _everything(database: Database, folder: Path) -> str:
    """All that is left behind: audit rows, ledger and files."""
    with database.connect() as connection:
        rows: list[Any] = []
        for table in ("audit_logs", "ops_console.runs", "invoice_lines"):
            rows += connection.execute(
                psycopg.sql.SQL("SELECT t::text FROM {} t").format(
                    psycopg.sql.Identifier(*table.split("."))
                )
            ).fetchall()
    files = [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
    return "\n".join([repr(rows), *files])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_rolls_back(number: signal.Signals, shell: Shell, start: Start) -> None:
    """Exit 130, said so, no row left behind, and the session is closed."""
    before = state(shell.database)
    process = start("--json")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    document = Result(130, out, err).json("WriteDocument")
    assert (process.returncode, document["status"]) == (130, "stopped")
    assert "roll" in err
    assert "Traceback" not in err
    assert state(shell.database) == before
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    assert (session["closed"], session["in_doubt"]) == (True, [])


def test_a_lost_connection_is_rolled_back_and_said(shell: Shell, start: Start) -> None:
    """The server ends the writing connection: exit 3, nothing written, nothing in doubt."""
    before = state(shell.database)
    process = start("--json")
    with shell.database.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
    out, err = process.communicate(timeout=60)
    document = Result(3, out, err).json("WriteDocument")
    assert (process.returncode, document["status"]) == (3, "rolled_back")
    assert "Traceback" not in err
    assert state(shell.database) == before
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    assert session["in_doubt"] == []


def test_a_plan_is_stopped_while_it_waits(shell: Shell) -> None:
    """Ctrl-C while planning waits for a lock ends it with 130; there is no plan to apply."""
    words = ("billing", "upsert", "--csv", str(shell.database.csv), "--run-id", RUN)
    with shell.database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE monthly_invoices")
        process = subprocess.Popen(
            [sys.executable, "-m", "console", *shell.globals, "--json", "--env=books", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        _wait_for("wait_event_type = 'Lock'", shell.database, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    document = Result(130, out, err).json("WriteDocument")
    assert (process.returncode, document["status"], document["plan"]) == (130, "stopped", None)


def test_an_ignored_signal_stays_ignored(shell: Shell, start: Start) -> None:
    """Under nohup a closed terminal stops nothing."""
    with _ignored(signal.SIGHUP):
        process = start()
    process.send_signal(signal.SIGHUP)
    with shell.database.connect() as connection:
        connection.execute("CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql"
                           " AS 'BEGIN RETURN NULL; END'")  # fmt: skip
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "[batch_upsert] Done." in out


@contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_a_reading_command_stops_at_once(shell: Shell) -> None:
    """Ctrl-C while it waits for a lock ends it with 130 and no traceback."""
    words = ("billing", "verify", "--run-id", OLDER)
    with shell.database.connect(autocommit=False) as blocker:
        blocker.execute("LOCK TABLE invoice_lines")
        process = subprocess.Popen(
            [sys.executable, "-m", "console", *shell.globals, "--env=books", *words],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        _wait_for("wait_event_type = 'Lock'", shell.database, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped by the operator" in err
    assert "Traceback" not in err


def test_a_password_by_hand_is_found_nowhere(shell: Shell, start: Start) -> None:
    """Not in what is printed, logged, written or listed among the processes."""
    process = start()
    listed = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert b"batch-upsert" in listed
    assert b"canary" not in listed
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "canary" not in out + err
    assert "process list" in err
    assert "canary" not in _everything(shell.database, shell.sessions)


def test_a_password_stays_out_of_an_applied_run(shell: Shell) -> None:
    """The audit rows, the ledger and the log of a committed run do not know it."""
    url = shell.database.url.replace("postgres@", f"postgres:{QUOTED}@")
    words = ("batch-upsert", "--csv", str(shell.database.csv), "--run-id", RUN)
    done = shell("--reason", f"with {CANARY}", *words, "--database-url", url, env=False)
    assert done.code == 0
    assert "canary" not in done.out + done.err
    assert "canary" not in _everything(shell.database, shell.sessions)


def test_a_killed_apply_is_settled_by_resume(shell: Shell, start: Start) -> None:
    """After kill -9 the session is in doubt; resuming finds out and says it."""
    before = state(shell.database)[0]
    process = start()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    assert session["in_doubt"] == [RUN]
    resumed = shell("--json", "session", "resume", session["id"], env=False)
    document = resumed.json("SessionDocument")
    assert (resumed.code, document["in_doubt"], document["closed"]) == (0, [], True)
    assert "did not commit and cannot any more" in resumed.err
    assert state(shell.database)[0] == before


def test_resume_refuses_another_database(
    shell: Shell, start: Start, cloud_database: Database
) -> None:
    """A run is settled only where it was tried."""
    process = start()
    process.kill()
    process.wait()
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    words = ("session", "resume", session["id"])
    refused = shell("--database-url", cloud_database.url, *words, env=False)
    assert (refused.code, "not the database" in refused.err) == (4, True)
