"""Fill an empty sandbox database: users' tables, a portfolio, an incident, known defects."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from console.errors import BadInput
from console.paths import sql_root
from console.sandbox.binaries import SandboxError

if TYPE_CHECKING:
    import psycopg

Schema = Literal["app", "cloud"]
Scenario = Literal["missing-lines", "none"]
Broken = Literal["audit-trigger", "invalid-index", "no-index", "null-keys", "forked-chain"]

RUN_ID = "manual-20260208-fix42"
_FEWEST_FOR_INCIDENT = 84
_STEP = re.compile(r"^-- step(?P<fails>, must fail)?: .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What to generate; the same values always give the same rows."""

    invoices: int = 1000
    seed: int = 1
    scenario: Scenario = "missing-lines"
    schema: Schema = "app"
    broken: Broken | None = None

    def refuse_nonsense(self) -> None:
        """Raise for values that cannot be generated, saying what to change."""
        fewest = 1 if self.scenario == "none" else _FEWEST_FOR_INCIDENT
        if self.invoices < fewest:
            raise BadInput(
                f"{self.invoices} invoices are too few for scenario {self.scenario}: "
                f"ask for at least {fewest}."
            )
        for folder, name in (("schema", self.schema), ("sandbox/broken", self.broken)):
            if name is not None and not (_sql() / folder / f"{name}.sql").is_file():
                raise BadInput(f"There is no {folder} named {name!r}.")
        if self.broken == "forked-chain" and self.schema != "cloud":
            raise BadInput("forked-chain needs schema cloud: only that one has a hash chain.")


def populate(url: str, portfolio: Portfolio, artifacts: Path | None) -> None:
    """Create every table in an empty database and fill it, all or nothing except the defects."""
    import psycopg

    portfolio.refuse_nonsense()
    with psycopg.connect(url, options=_options(portfolio)) as connection:
        for script in _scripts(portfolio):
            connection.execute(script.read_bytes())
        if portfolio.scenario != "none" and artifacts is not None:
            _write_artifacts(artifacts / RUN_ID, _missing_lines(connection))
    with psycopg.connect(url, autocommit=True) as connection:
        _optional_extensions(connection)
        if portfolio.broken:
            _break(connection, portfolio.broken)
        connection.execute((_sql() / "sandbox/analyze.sql").read_bytes())


def _sql() -> Path:
    return Path(str(sql_root()))


def _options(portfolio: Portfolio) -> str:
    return f"-c sandbox.seed={portfolio.seed} -c sandbox.invoices={portfolio.invoices}"


def _scripts(portfolio: Portfolio) -> Iterator[Path]:
    """The files that make the database, in the order in which they run."""
    root, schema = _sql(), portfolio.schema
    yield root / "schema/shared.sql"
    yield root / f"schema/{schema}.sql"
    yield from sorted((root / "migrations").glob("*.sql"))
    yield root / "sandbox/portfolio.sql"
    yield root / f"sandbox/portfolio_{schema}.sql"
    if portfolio.scenario != "none":
        yield root / "sandbox/incident.sql"
        yield root / f"sandbox/incident_{schema}.sql"


def _missing_lines(connection: "psycopg.Connection[tuple[object, ...]]") -> bytes:
    with (
        connection.cursor() as cursor,
        cursor.copy((_sql() / "sandbox/incident_csv.sql").read_bytes()) as copy,
    ):
        return b"".join(bytes(block) for block in copy)


def _write_artifacts(folder: Path, csv: bytes) -> None:
    """Write the run's folder as the parity job does: rows, summary, checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = {
        "run_id": RUN_ID,
        "commit": "0000000000000000000000000000000000000000",
        "ref": "refs/heads/main",
        "timestamp": "2026-02-08T13:45:00Z",
        "missing_lines_count": csv.count(b"\n") - 1,
        "parity_pass": False,
    }
    files = {
        "missing_lines.csv": csv,
        "summary.json": json.dumps(summary, indent=2).encode() + b"\n",
    }
    sums = [f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in files.items()]
    for name, body in (files | {"checksums.sha256": "".join(sums).encode()}).items():
        (folder / name).write_bytes(body)


def _optional_extensions(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    import psycopg

    try:
        connection.execute((_sql() / "sandbox/extensions.sql").read_bytes())
    except psycopg.errors.Error:
        return  # a server built without it still makes a good sandbox


def _break(connection: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    """Run a defect's steps one by one; a step marked "must fail" proves its defect by failing."""
    import psycopg

    text = (_sql() / f"sandbox/broken/{name}.sql").read_text("utf-8")
    marks = list(_STEP.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        body = text[mark.end() : following.start() if following else None].encode()
        try:
            connection.execute(body)
        except psycopg.errors.UniqueViolation:
            if not mark["fails"]:
                raise
        else:
            if mark["fails"]:
                raise SandboxError(f"The defect {name} could not be produced: {mark[0]}")
