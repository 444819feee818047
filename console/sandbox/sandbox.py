"""The sandbox as a whole: a server, a database with an incident, a configuration that names it."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from console.errors import BadInput, Refused
from console.paths import sql_root
from console.sandbox.folders import locked, private_folder
from console.sandbox.postgres import Cluster
from console.sandbox.seed import RUN_ID, Broken, Portfolio, Scenario, Schema, populate

DATABASE = "sandbox"
_MARKER = "sandbox.lock"
_STATE = "sandbox.json"
_ARTIFACTS = "reconciliations"
_CONFIG = "ops-console.toml"
Progress = Callable[[str], None]


class Sandbox(BaseModel):
    """Where a sandbox is and what it holds; `started` is true for the call that started it."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    state: Literal["running", "stopped", "absent"]
    started: bool = False
    database_url: str
    config: Path
    dir: Path
    pid: int | None = None
    schema_name: Schema | None = Field(default=None, serialization_alias="schema")
    invoices: int | None = None
    seed: int | None = None
    scenario: Scenario | None = None
    broken: Broken | None = None
    run_id: str | None = None
    csv: Path | None = None


def default_directory() -> Path:
    """The sandbox's folder in the user's state directory (XDG_STATE_HOME is respected)."""
    configured = Path(os.environ.get("XDG_STATE_HOME", ""))
    base = configured if configured.is_absolute() else Path.home() / ".local" / "state"
    return base / "ops-console" / "sandbox"


def _silent(_: str) -> None:
    """Report nothing."""


def up(
    directory: Path,
    *,
    invoices: int = 1000,
    seed: int = 1,
    scenario: Scenario = "missing-lines",
    schema: Schema = "app",
    broken: Broken | None = None,
    owned: bool = False,
    durable: bool = True,
    progress: Progress = _silent,
) -> Sandbox:
    """Start the sandbox in this folder, generating it first if it is not there yet.

    An owned one stops when this process ends; it must be started from the main thread.
    """
    portfolio = Portfolio(invoices, seed, scenario, schema, broken)
    with _started(directory, portfolio, owned, durable, progress) as (cluster, started):
        held = _held(cluster.folder.parent)
        if held is None:
            _generate(cluster, portfolio, progress)
        elif held != portfolio:
            raise Refused(
                f"The sandbox in {directory} already holds {_describe(held)}.",
                next_step="Reset it, or choose another directory.",
            )
    progress("Ready")
    return _report(cluster, started=started)


def reset(
    directory: Path,
    *,
    invoices: int = 1000,
    seed: int = 1,
    scenario: Scenario = "missing-lines",
    schema: Schema = "app",
    broken: Broken | None = None,
    owned: bool = False,
    durable: bool = True,
    progress: Progress = _silent,
) -> Sandbox:
    """Start the sandbox and generate its database and artifacts afresh, whatever it holds."""
    portfolio = Portfolio(invoices, seed, scenario, schema, broken)
    with _started(directory, portfolio, owned, durable, progress) as (cluster, started):
        _generate(cluster, portfolio, progress)
    progress("Ready")
    return _report(cluster, started=started)


def down(directory: Path) -> Sandbox:
    """Stop the sandbox's server and keep its files."""
    cluster = _cluster(directory)
    cluster.stop()
    return _report(cluster)


def status(directory: Path) -> Sandbox:
    """Say what the folder holds and whether its server runs; changes nothing."""
    return _report(_cluster(directory))


def destroy(directory: Path) -> None:
    """Stop the sandbox and delete its folder; a folder that is no sandbox is left alone."""
    if (directory / _MARKER).is_file():
        down(directory)
        shutil.rmtree(directory)


def _cluster(directory: Path, *, durable: bool = True) -> Cluster:
    return Cluster(directory.absolute() / "postgres", durable=durable)


@contextlib.contextmanager
def _started(
    directory: Path, portfolio: Portfolio, owned: bool, durable: bool, progress: Progress
) -> Iterator[tuple[Cluster, bool]]:
    """Hold the folder's lock with the server up; stop again what was started if the block fails."""
    portfolio.refuse_nonsense()
    _claim(directory)
    with locked(directory / _MARKER):
        cluster = _cluster(directory, durable=durable)
        progress("Starting PostgreSQL")
        started = cluster.start(owned=owned)
        try:
            yield cluster, started
        except BaseException:
            if started:
                cluster.stop()
            raise


def _claim(directory: Path) -> None:
    """Make the folder, or refuse one that holds something else."""
    if directory.is_dir() and not (directory / _MARKER).exists() and any(directory.iterdir()):
        raise BadInput(
            f"{directory} is not empty and no sandbox.", next_step="Choose another directory."
        )
    private_folder(directory)


def _generate(cluster: Cluster, portfolio: Portfolio, progress: Progress) -> None:
    """Replace the database, the artifacts and the configuration; the record of it comes last."""
    directory = cluster.folder.parent
    (directory / _STATE).unlink(missing_ok=True)
    shutil.rmtree(directory / _ARTIFACTS, ignore_errors=True)
    (directory / _ARTIFACTS).mkdir()
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for name in ("drop_database", "create_database"):
            connection.execute(_statement(name).format(database=sql.Identifier(DATABASE)))
    progress(f"Generating {_describe(portfolio)}")
    populate(cluster.url(DATABASE), portfolio, directory / _ARTIFACTS)
    _write(directory / _CONFIG, _configuration(cluster.url(DATABASE), directory / _ARTIFACTS))
    _write(directory / _STATE, json.dumps(asdict(portfolio), indent=2) + "\n")


def _statement(name: str) -> sql.SQL:
    text = sql_root().joinpath("sandbox", f"{name}.sql").read_text(encoding="utf-8")
    return sql.SQL(text)


def _describe(portfolio: Portfolio) -> str:
    defect = f", broken {portfolio.broken}" if portfolio.broken else ""
    return (
        f"{portfolio.invoices:,} invoices (schema {portfolio.schema}, seed {portfolio.seed}, "
        f"scenario {portfolio.scenario}{defect})"
    )


def _held(directory: Path) -> Portfolio | None:
    """What was generated here to the end, if anything."""
    try:
        return TypeAdapter(Portfolio).validate_json((directory / _STATE).read_bytes())
    except (OSError, ValidationError):
        return None


def _report(cluster: Cluster, *, started: bool = False) -> Sandbox:
    directory = cluster.folder.parent
    held = _held(directory)
    incident = held is not None and held.scenario != "none"
    pid = cluster.pid()
    return Sandbox(
        state="absent" if held is None else "running" if pid else "stopped",
        started=started,
        database_url=cluster.url(DATABASE),
        config=directory / _CONFIG,
        dir=directory,
        pid=pid,
        schema_name=held.schema if held else None,
        invoices=held.invoices if held else None,
        seed=held.seed if held else None,
        scenario=held.scenario if held else None,
        broken=held.broken if held else None,
        run_id=RUN_ID if incident else None,
        csv=directory / _ARTIFACTS / RUN_ID / "missing_lines.csv" if incident else None,
    )


def _configuration(url: str, artifacts: Path) -> str:
    return (
        'default_environment = "sandbox"\n\n'
        "[environments.sandbox]\n"
        'kind = "sandbox"\n'
        f"database_url = {_toml(url)}\n"
        f"artifacts = {_toml(str(artifacts))}\n"
    )


def _toml(value: str) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(file: Path, text: str) -> None:
    """Put a file of mode 0600 in place whole or not at all."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
