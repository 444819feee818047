"""The sandbox's life: start, find again, stop, make anew, and die without leftovers."""

import hashlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from console.errors import BadInput, Refused
from console.sandbox import sandbox
from console.sandbox.postgres import Cluster
from console.settings import load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for one sandbox, stopped afterwards whatever happened."""
    yield tmp_path / "sandbox"
    sandbox.down(tmp_path / "sandbox")


def start(folder: Path, **options: object) -> sandbox.Sandbox:
    return sandbox.up(folder, **({"invoices": 84, "durable": False, "owned": True} | options))  # type: ignore[arg-type]


def contents(url: str) -> dict[str, str]:
    """A digest of every row of every table of the users."""
    digests = {}
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind = 'r'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(
                sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(table))
            ).fetchall()
            digests[table] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return digests


def wait_until_gone(pid: int) -> bool:
    """Whether the process ends within a generous time."""
    for _ in range(3000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_up_status_down_reset(folder: Path) -> None:
    """Each verb tells the state it leaves; rows survive a stop and not a reset."""
    assert sandbox.status(folder).state == "absent"
    made = start(folder)
    assert (made.state, made.started, made.run_id) == ("running", True, "manual-20260208-fix42")
    assert made.csv is not None
    assert made.csv.is_file()
    with psycopg.connect(made.database_url) as connection:
        connection.execute("CREATE TABLE left_by_the_operator ()")
    assert start(folder).started is False
    assert sandbox.down(folder).state == "stopped"
    assert sandbox.status(folder).pid is None
    again = start(folder)
    assert again.started is True
    assert "left_by_the_operator" in contents(again.database_url)
    fresh = sandbox.reset(folder, invoices=90, seed=7, durable=False)
    assert (fresh.invoices, fresh.seed, fresh.started) == (90, 7, False)
    assert "left_by_the_operator" not in contents(fresh.database_url)


def test_the_same_seed_gives_the_same_rows_and_files(folder: Path) -> None:
    """Two generations of one seed agree in every row; another seed differs."""
    first = start(folder)
    assert first.csv is not None
    before = contents(first.database_url), first.csv.read_bytes()
    sandbox.reset(folder, invoices=84, durable=False)
    assert (contents(first.database_url), first.csv.read_bytes()) == before
    sandbox.reset(folder, invoices=84, seed=2, durable=False)
    other = contents(first.database_url)
    assert other["invoice_lines"] != before[0]["invoice_lines"]
    assert other.keys() == before[0].keys()


def test_the_configuration_is_private_and_names_the_sandbox(folder: Path) -> None:
    """The file written beside the data is readable for its owner alone and loads as settings."""
    made = start(folder)
    assert stat.S_IMODE(made.config.stat().st_mode) == 0o600
    name, environment = load(made.config).environment(None)
    assert (name, environment.kind) == ("sandbox", "sandbox")
    assert environment.conninfo() == made.database_url
    assert environment.artifacts == str(folder / "reconciliations")
    assert '"schema":"app"' in made.model_dump_json()


def test_server_settings(folder: Path) -> None:
    """No network, not UTC, UTF-8, and the console's own tables where it ships any."""
    migrated = ROOT.joinpath("sql/migrations/0001_ledger.sql").is_file()
    with psycopg.connect(start(folder).database_url) as connection:
        row = connection.execute(
            """SELECT current_setting('listen_addresses'), current_setting('TimeZone'),
            current_setting('server_encoding'), to_regclass('ops_console.runs') IS NOT NULL"""
        ).fetchone()
        assert row == ("", "Europe/Vienna", "UTF8", migrated)
    assert stat.S_IMODE(Cluster(folder / "postgres").socket_folder.stat().st_mode) == 0o700


def test_other_values_are_refused_until_a_reset(folder: Path) -> None:
    """What is there is never replaced silently."""
    start(folder)
    with pytest.raises(Refused, match="already holds 84 invoices"):
        start(folder, schema="cloud")
    assert sandbox.status(folder).schema_name == "app"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Neither up nor destroy touches a folder that is no sandbox."""
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(BadInput, match="not empty and no sandbox"):
        start(tmp_path)
    sandbox.destroy(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_destroy_leaves_nothing(folder: Path) -> None:
    """The server is stopped and the folder is gone."""
    pid = start(folder).pid
    sandbox.destroy(folder)
    assert not folder.exists()
    assert pid is not None
    assert wait_until_gone(pid)


def test_a_half_made_sandbox_is_made_again(folder: Path) -> None:
    """A generation cut off before its record was written does not count."""
    made = start(folder)
    (folder / "sandbox.json").unlink()
    with psycopg.connect(made.database_url) as connection:
        connection.execute("DROP TABLE payments CASCADE")
    assert "payments" in contents(start(folder).database_url)


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    """A folder too deep for a socket still works, through a private folder elsewhere."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    try:
        made = start(deep, scenario="none", invoices=12)
        with psycopg.connect(made.database_url) as connection:
            row = connection.execute("SELECT count(*) FROM monthly_invoices").fetchone()
        assert row == (12,)
        assert made.csv is None
        short = Cluster(deep / "postgres").socket_folder
        assert stat.S_IMODE(short.stat().st_mode) == 0o700
    finally:
        sandbox.destroy(deep)
    assert not short.exists()


def test_a_killed_server_starts_again(folder: Path) -> None:
    """A server killed with its lock file in place is replaced, and committed rows are there."""
    made = start(folder)
    before = contents(made.database_url)
    assert made.pid is not None
    os.kill(made.pid, signal.SIGKILL)
    again = start(folder)
    assert again.started is True
    assert again.pid != made.pid
    assert contents(again.database_url) == before


def test_a_stranger_with_the_recorded_pid_is_not_taken_for_the_server(folder: Path) -> None:
    """A lock file that names another living process neither blocks a start nor endangers it."""
    start(folder)
    sandbox.down(folder)
    (folder / "postgres/data/postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n")
    assert sandbox.status(folder).state == "stopped"
    assert sandbox.down(folder).state == "stopped"
    assert start(folder).started is True


OWNER = """
import sys, time
from pathlib import Path
from console.sandbox import sandbox
made = sandbox.up(Path(sys.argv[1]), invoices=84, durable=False, owned=sys.argv[2] == "owned")
print(made.pid, flush=True)
time.sleep(600 if sys.argv[2] == "owned" else 0)
"""


def run_owner(folder: Path, kind: str) -> tuple[subprocess.Popen[str], int]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), kind],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert owner.stdout is not None
    with owner.stdout:
        return owner, int(owner.stdout.readline())


def test_a_killed_owner_leaves_no_server(folder: Path) -> None:
    """kill -9 of the owning process stops the server cleanly; the next start finds its rows."""
    owner, pid = run_owner(folder, "owned")
    owner.kill()
    owner.wait()
    assert wait_until_gone(pid)
    assert not (folder / "postgres/data/postmaster.pid").exists()
    assert start(folder).started is True


def test_an_independent_sandbox_outlives_its_starter(folder: Path) -> None:
    """Started without an owner it stays up when the starting process has ended."""
    owner, pid = run_owner(folder, "free")
    assert owner.wait() == 0
    found = sandbox.status(folder)
    assert (found.state, found.pid) == ("running", pid)
    assert sandbox.down(folder).state == "stopped"
    assert wait_until_gone(pid)


def test_two_starts_at_once_make_one_sandbox(folder: Path) -> None:
    """Starters that race end with one server that both found."""
    owners = [
        subprocess.Popen(
            [sys.executable, "-c", OWNER, str(folder), "free"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    pids = {owner.communicate()[0] for owner in owners}
    assert [owner.returncode for owner in owners] == [0, 0]
    assert len(pids) == 1
