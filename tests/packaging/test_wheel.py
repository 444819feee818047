"""The wheel works the same in an empty environment, far from any checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def call(*command: str | Path, cwd: Path, timeout: int = 170) -> str:
    """Run a program away from the checkout; returns what it printed."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree so that nothing is left in it."""
    copy = tmp_path_factory.mktemp("source") / "tree"
    ignored = shutil.ignore_patterns(".git", ".venv", "*cache*", "__pycache__", "tests")
    shutil.copytree(ROOT, copy, ignore=ignored)
    folder = copy / "dist"
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=copy)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ops-console` where only the locked packages and the wheel are installed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    call(sys.executable, "-m", "venv", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    lock = ROOT / "requirements.lock"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    call(*pip, "--no-compile", "--require-hashes", "-r", lock, cwd=folder)
    call(*pip, "--no-compile", "--no-deps", wheel, cwd=folder)
    return folder / "env" / "bin" / "ops-console"


def test_everything_travels(wheel: Path) -> None:
    """Statements, style sheets and the example configuration are inside."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in ROOT.joinpath("sql").rglob("*.sql"):
        assert f"console/sql/{path.relative_to(ROOT / 'sql').as_posix()}" in names
    for path in ROOT.joinpath("screens").rglob("*.tcss"):
        assert path.relative_to(ROOT).as_posix() in names
    assert "console/config.example.toml" in names


@pytest.mark.timeout(400)
def test_sandbox_and_upsert_elsewhere(program: Path, tmp_path: Path) -> None:
    """A sandbox comes up and the incident's file is upserted, verified and on record."""
    box = tmp_path / "box"
    try:
        up = json.loads(call(program, "--json", "sandbox", "up", "--dir", box, cwd=tmp_path))
        said = call(
            program,
            "--session-dir",
            tmp_path / "sessions",
            "batch-upsert",
            "--csv",
            up["csv"],
            "--run-id",
            up["run_id"],
            "--database-url",
            up["database_url"],
            cwd=tmp_path,
        )
    finally:
        call(program, "sandbox", "down", "--dir", box, cwd=tmp_path)
    assert "[batch_upsert] Upsert complete: 120 inserted, 8 updated (" in said
    assert said.splitlines()[-1] == "[batch_upsert] Done."


def test_the_screens_are_there(program: Path, tmp_path: Path) -> None:
    """The interactive commands are part of the same program."""
    said = call(program, "--help", cwd=tmp_path)
    assert " demo " in said
    assert " run " in said
