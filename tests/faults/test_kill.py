"""A client killed at any point of an apply leaves all or nothing, and the ledger knows which."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.database.ledger import settle
from tests.database import billing
from tests.database.billing import one
from tests.database.conftest import Database
from tests.database.lines_kit import fresh, with_cell

ROOT = Path(__file__).resolve().parents[2]
LINES = 1000
# The lock, each batch with its progress, the measuring and its figures, COMMIT, and the end.
EVENTS = 1 + 2 * (LINES // 50) + 4
LATE_COMMIT = """
CREATE FUNCTION lingering() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER zz_linger AFTER INSERT ON ops_console.runs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.verdict = 'applied') EXECUTE FUNCTION lingering();
"""


def many_lines(folder: Path, database: Database, name: str) -> Path:
    """A file of many new lines with this round's name in their descriptions."""
    with database.connect() as connection:
        invoices = fresh(connection, 40)
    lines = [
        with_cell(invoices[n % 40], "description", f"Runde {name} Zeile {n}") for n in range(LINES)
    ]
    return billing.write_csv(folder, lines)


@contextmanager
def child(database: Database, path: Path, run_id: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has planned and waits for the word to apply."""
    command = [sys.executable, "-m", "tests.faults.child", database.url, str(path), run_id]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process:
        try:
            assert said(process) == "Planned"
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]") -> str:
    """The next event of the process; empty at its end."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def start(process: "subprocess.Popen[str]") -> None:
    """Give the word."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def kill(process: "subprocess.Popen[str]") -> None:
    """End the process as a power cut would."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def outcome(database: Database, name: str, run_id: str) -> str:
    """Settle the run, and see that the data says the same, whole or not at all."""
    verdict = settle(billing.desk(database), run_id).verdict
    with database.connect() as connection:
        stored = one(
            connection,
            "SELECT count(*) FROM invoice_lines WHERE description LIKE %s",
            f"Runde {name} Zeile %",
        )
        traces = billing.traces(connection, run_id)
    expected = {"applied": (LINES, (LINES + 1, 1)), "abandoned": (0, (0, 0))}
    assert (stored, traces) == expected[verdict], (name, verdict)
    assert settle(billing.desk(database), run_id).verdict == verdict
    return verdict


def rounds(database: Database, folder: Path, number: int) -> set[str]:
    """Kill that many applies, each after a random event and a random moment more.

    Returns the verdicts that came out.
    """
    seed = int(os.environ.get("OPS_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"seed: OPS_TEST_SEED={seed}")
    draw, verdicts = random.Random(seed), []
    for n in range(number):
        name, run_id = str(n), f"killed-run-{n}"
        # Half of the kills lie around the COMMIT, where it matters most.
        events = draw.choice((draw.randrange(EVENTS), EVENTS - draw.randrange(4)))
        pause = draw.random() * 0.004
        with child(database, many_lines(folder, database, name), run_id) as process:
            start(process)
            for _ in range(events):
                said(process)
            time.sleep(pause)
            kill(process)
        verdicts.append(outcome(database, name, run_id))
    print(f"verdicts: {verdicts}")
    return set(verdicts)


def test_a_killed_client_leaves_all_or_nothing(both_schemas: Database, tmp_path: Path) -> None:
    """At eight random points of an apply, kill -9 leaves all or nothing, and settling is right."""
    rounds(both_schemas, tmp_path, 4)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_long_series_of_killed_clients(
    both_schemas: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The same at fifty random points of each schema; runs when its marker is asked for."""
    if "faults" not in request.config.getoption("-m"):
        pytest.skip("the long series runs under `pytest -m faults`")
    assert rounds(both_schemas, tmp_path, 50) == {"applied", "abandoned"}


def test_killed_before_commit_is_said(both_schemas: Database, tmp_path: Path) -> None:
    """A client killed after its last measurement, before COMMIT, has committed nothing."""
    path = many_lines(tmp_path, both_schemas, "vor")
    with child(both_schemas, path, "killed-before") as process:
        start(process)
        while said(process) != "BatchWritten":
            pass
        kill(process)
    assert outcome(both_schemas, "vor", "killed-before") == "abandoned"


def test_killed_while_commit_is_done(both_schemas: Database, tmp_path: Path) -> None:
    """A client killed inside COMMIT never heard the answer: it went through, and settling waits."""
    with both_schemas.connect() as connection:
        connection.execute(LATE_COMMIT)
    path = many_lines(tmp_path, both_schemas, "in")
    with child(both_schemas, path, "killed-within") as process:
        start(process)
        while said(process) != "CommitSent":
            pass
        wait_for_commit(both_schemas)
        kill(process)
    assert outcome(both_schemas, "in", "killed-within") == "applied"


def wait_for_commit(database: Database) -> None:
    """Wait until the server works on the COMMIT."""
    busy = """SELECT count(*) FROM pg_stat_activity
        WHERE query ILIKE 'COMMIT%%' AND state = 'active' AND datname = current_database()"""
    with database.connect() as connection:
        while not one(connection, busy):
            time.sleep(0.002)
