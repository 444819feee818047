"""Command lines that the console prints work when they are pasted."""

import json
import shlex

import pytest

from console.cli import main
from console.cli.options import Options
from console.cli.pasted import resume_line, target_options
from tests.database.cli_kit import RUN, Shell

TARGETS = [True, False]


@pytest.mark.parametrize("by_env", TARGETS)
def test_the_undo_line_plans_the_undo(
    shell: Shell, capsys: pytest.CaptureFixture[str], by_env: bool
) -> None:
    """The outcome's undo, run as it stands, plans the rollback at the same target."""
    csv = ["batch-upsert", "--csv", str(shell.database.csv), "--run-id", RUN]
    target = ["--env", "books"] if by_env else ["--database-url", shell.database.url]
    done = shell("--json", *target, *csv, env=False)
    undo = shlex.split(done.json("WriteDocument")["outcome"]["undo"])
    capsys.readouterr()
    assert undo.pop(0) == "ops-console"
    assert main(["--session-dir", str(shell.sessions), "--json", *undo]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["plan"]["counts"] == {"delete": 120, "restore": 8}


def test_no_password_is_printed() -> None:
    """A password given by hand is left out of the line, and everything else stays."""
    url = "postgresql://anna:geheim-77@db.example:6000/books?sslmode=require"
    words = target_options(Options(database_url=url), "by-hand")
    assert words[0] == "--database-url"
    assert set(words[1].split()) == {
        "user=anna", "host=db.example", "port=6000", "dbname=books", "sslmode=require",
    }  # fmt: skip
    line = resume_line(Options(database_url=url), "20260208-021409-a41f9c")
    assert "geheim" not in line
    assert line.endswith("session resume 20260208-021409-a41f9c")
