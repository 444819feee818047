"""Subcommands that only read, and those of sessions and sandboxes."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli import main
from tests.database.cli_kit import OLDER, ROOT, RUN, Result, Shell, state


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (("preflight",), 0, {"pass", "warn"}),
        (("billing", "duplicates"), 1, {"fail"}),
        (("billing", "runs"), 0, {"pass"}),
        (("billing", "verify", "--run-id", "never-was-there"), 3, {"not_run"}),
        (("billing", "verify", "--run-id", OLDER), 0, {"pass", "warn"}),
        (("billing", "audit-trail", "--run-id", "never-was-there"), 3, {"not_run"}),
    ],
)
def test_reading_commands(
    arguments: tuple[str, ...], code: int, status: set[str], shell: Shell
) -> None:
    """Each has its exit code and a document that fits the schema, and the same for people."""
    before = state(shell.database)
    done = shell("--json", *arguments)
    document = done.json("CheckDocument")
    assert (done.code, document["status"] in status) == (code, True)
    assert document["environment"]["name"] == "books"
    log = Path(document["session"]["log"])
    assert json.loads(log.read_text().splitlines()[-1])["hash"] == document["session"]["head"]
    plain = shell(*arguments)
    assert plain.code == code
    assert plain.out
    assert state(shell.database) == before


def test_an_unreachable_database_is_not_green(shell: Shell) -> None:
    """Nothing is known, nothing is claimed: exit 3, also for a dry run."""
    url = ("--database-url", "postgresql://nobody@127.0.0.1:1/none")
    document = shell("--json", *url, "preflight", env=False)
    assert document.code == 3
    assert document.json("WriteDocument")["status"] == "not_run"
    file = str(shell.database.csv)
    dry = ("batch-upsert", "--csv", file, "--run-id", RUN, "--dry-run")
    assert shell(*url, *dry, env=False).code == 3


def test_session_commands(shell: Shell) -> None:
    """What was done is listed, shown and verified; an edited log fails."""
    shell.upsert()
    listed = shell("--json", "session", "list").json("SessionListDocument")
    (session,) = listed["sessions"]
    assert session["closed"] is True
    shown = shell("--json", "session", "show", session["id"]).json("SessionDocument")
    assert len(shown["plans"]) == 1
    verified = shell("--json", "session", "verify", session["id"])
    assert (verified.code, verified.json("LogCheckDocument")["status"]) == (0, "pass")
    for words in (("list",), ("show", session["id"]), ("verify", session["id"])):
        assert shell("session", *words).out
    log = Path(session["log"])
    log.write_text(log.read_text().replace(RUN, RUN.replace("42", "43")))
    broken = shell("--json", "session", "verify", session["id"])
    assert (broken.code, broken.json("LogCheckDocument")["status"]) == (1, "fail")
    doubtful = shell("--json", "session", "show", session["id"])
    assert (doubtful.code, doubtful.json("SessionDocument")["status"]) == (1, "fail")
    assert "Not proven" in doubtful.err


def test_a_log_is_compared_with_the_ledger(shell: Shell) -> None:
    """A whole rewritten log has a good chain; the head that its run left in the database tells."""
    shell.batch()
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    alone = shell("session", "verify", session["id"], env=False)
    assert "no anchor was given" in alone.out
    compared = shell("session", "verify", session["id"])
    assert (compared.code, f"(ledger, run {RUN})" in compared.out) == (0, True)
    log = Path(session["log"])
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:3]))
    assert shell("session", "verify", session["id"], env=False).code == 0
    cut = shell("--json", "session", "verify", session["id"])
    assert (cut.code, cut.json("LogCheckDocument")["findings"][0]["code"]) == (1, "anchor")


def test_sandbox_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Up, status, reset and down each print where it is; it stays up in between."""
    folder = ["--dir", str(tmp_path / "box")]
    try:
        states = []
        for words in (["up", "--invoices=90"], ["status"], ["reset", "--seed", "2"], ["down"]):
            assert main(["sandbox", *words, *folder]) == 0
            document = Result(0, capsys.readouterr().out, "").json("SandboxDocument")
            assert document["config"] == str(tmp_path / "box" / "ops-console.toml")
            states.append((document["state"], document["pid"] is not None, document["seed"]))
    finally:
        main(["sandbox", "down", *folder])
    running, stopped = ("running", True), ("stopped", False)
    assert states == [(*running, 1), (*running, 1), (*running, 2), (*stopped, 2)]


HOSTILE = "\x1b]0;owned\x07\x1b[2J[/red][link=x]y"


def on_terminal(*arguments: str) -> tuple[int, str]:
    """Run the command line on a terminal of its own; return its code and every byte."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "console", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "90"},
    )
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # the kernel's word for the end of a terminal
        while block := os.read(master, 65536):
            shown += block
    os.close(master)
    return process.wait(), shown.decode()


def test_on_a_terminal_tables_are_drawn_and_foreign_text_is_harmless(shell: Shell) -> None:
    """A hostile run id neither moves the cursor nor is read as markup, and nothing is cut off."""
    with shell.database.connect() as connection:
        connection.execute("UPDATE reconcile_runs SET run_id = %s", (HOSTILE,))
    code, shown = on_terminal(*shell.globals, "--env=books", "billing", "runs")
    assert code == 0
    assert "┏" in shown
    assert "\x1b]0;" not in shown
    assert "\x1b[2J" not in shown
    cells = re.findall(r"^│ (.*?) *│", shown.replace("\r", ""), re.MULTILINE)
    assert "".join(cells) == r"\x1b]0;owned\x07\x1b[2J[/red][link=x]y"


def test_on_a_terminal_a_bar_shows_the_phase(shell: Shell) -> None:
    """Progress is drawn while an upsert is planned, and its lines are not mixed into it."""
    words = ("billing", "upsert", "--csv", str(shell.database.csv), "--run-id", RUN)
    code, shown = on_terminal(*shell.globals, "--env=books", *words)
    assert code == 0
    assert "━" in shown
    assert "compare ..." not in shown
    assert "Planned; nothing was written." in shown


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_changes_no_verdict(closed: str, shell: Shell) -> None:
    """Started with a stream closed altogether, a command still ends with its own code."""
    number = {"stdout": 1, "stderr": 2}[closed]
    code = f"import os, sys; os.close({number}); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-m", "console", *shell.globals, "--env=books", "billing", "runs"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr
    (session,) = shell("--json", "session", "list").json("SessionListDocument")["sessions"]
    assert shell("session", "verify", session["id"]).code == 0
