"""What the tests of the command line share: a shell on one database, and what it left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.cli import main
from console.documents import schemas
from tests.database.conftest import Database
from tests.json_schema import faults

ROOT = Path(__file__).resolve().parents[2]
RUN = "manual-20260208-fix42"
OLDER = "manual-20260203-fix17"
SCHEMAS = schemas()


@dataclass(frozen=True, slots=True)
class Result:
    """How one call ended."""

    code: int
    out: str
    err: str

    def json(self, model: str) -> dict[str, Any]:
        """The document, which must fit its printed schema."""
        document: dict[str, Any] = json.loads(self.out)
        assert faults(document, SCHEMAS["$defs"][model], SCHEMAS) == []
        return document


class Shell:
    """Calls the command line on one database with a session folder of its own."""

    def __init__(
        self, database: Database, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.database = database
        self.sessions = folder / "sessions"
        self.config = folder / "ops-console.toml"
        self._capsys = capsys
        self.configure()

    def configure(self, rules: str = 'kind = "staging"', billing: str = "") -> None:
        url = json.dumps(self.database.url)
        self.config.write_text(
            f"[environments.books]\ndatabase_url = {url}\n{rules}\n[billing]\n{billing}\n"
        )

    @property
    def globals(self) -> list[str]:
        return ["--session-dir", str(self.sessions), "--config", str(self.config)]

    def __call__(self, *arguments: str, env: bool = True) -> Result:
        self._capsys.readouterr()
        target = ["--env", "books"] if env else []
        code = main([*self.globals, *target, *arguments])
        shown = self._capsys.readouterr()
        return Result(code, shown.out, shown.err)

    def batch(self, *more: str, csv: Path | None = None, run_id: str = RUN) -> Result:
        """The runbook's tool with the runbook's flags."""
        file = str(csv or self.database.csv)
        url = ["--database-url", self.database.url]
        return self("batch-upsert", "--csv", file, "--run-id", run_id, *url, *more, env=False)

    def upsert(self, *more: str, options: tuple[str, ...] = ("--json",)) -> Result:
        arguments = ("billing", "upsert", "--csv", str(self.database.csv), "--run-id", RUN)
        return self(*options, *arguments, *more)

    def token(self, result: Result) -> str:
        token: str = result.json("WriteDocument")["plan"]["token"]
        return token


def state(database: Database) -> tuple[Any, ...]:
    """Every line, and how many audit rows and runs there are."""
    with database.connect() as connection:
        lines = connection.execute(
            "SELECT md5(string_agg(l::text, '|' ORDER BY l.id)), count(*) FROM invoice_lines l"
        ).fetchone()
        audit = connection.execute("SELECT count(*) FROM audit_logs").fetchone()
        runs = connection.execute("SELECT count(*) FROM ops_console.runs").fetchone()
    return (lines, audit, runs)
