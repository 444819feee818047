"""The folder of a demo: gone at its end, and swept away when its process was killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.sandbox.passing import PREFIX, passing_folder, sweep

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import sys, time
from console.sandbox.passing import SANDBOX, passing_folder
from console.sandbox.sandbox import up
with passing_folder() as folder:
    up(folder / SANDBOX, invoices=10, scenario="none", owned=True)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of this test alone, short enough for a server's socket."""
    with tempfile.TemporaryDirectory(prefix="oc-") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(name)


def owner() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    assert said, "the process ended before it had a sandbox"
    return process, Path(said)


def test_a_folder_is_gone_at_the_end(temporary: Path) -> None:
    """Nothing stays behind."""
    with passing_folder() as folder:
        assert folder.parent == temporary
        assert folder.name.startswith(PREFIX)
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left(temporary: Path) -> None:
    """A sweep removes the folder and the sandbox of a dead process, and of no living one."""
    dead, left = owner()
    living, kept = owner()
    try:
        dead.kill()
        dead.wait()
        assert left.is_dir()
        sweep()
        assert not left.exists()
        assert kept.is_dir()
    finally:
        living.communicate()
    assert list(temporary.iterdir()) == []
