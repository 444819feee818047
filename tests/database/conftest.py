"""A real server per worker, and a seeded database cloned from a template per test."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import psycopg
import pytest
from psycopg import sql

from console.sandbox.postgres import Cluster
from console.sandbox.seed import Portfolio, Schema, populate

if TYPE_CHECKING:
    from tests.database.cli_kit import Shell

INVOICES = 84
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """A test's own database and the folder of artifacts that belongs to its incident."""

    url: str
    schema: Schema
    artifacts: Path

    @property
    def csv(self) -> Path:
        """The incident's missing lines."""
        return self.artifacts / "manual-20260208-fix42" / "missing_lines.csv"

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A new connection; it commits every statement unless told otherwise."""
        return psycopg.connect(self.url, **({"autocommit": True} | options))


@dataclass(frozen=True, slots=True)
class Templates:
    """The worker's server and the seeded databases to clone."""

    cluster: Cluster
    artifacts: Path

    def command(self, text: str, **names: str) -> None:
        """Run one statement on the server's own database."""
        identifiers = {key: sql.Identifier(name) for key, name in names.items()}
        with psycopg.connect(self.cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(text).format(**identifiers))


@pytest.fixture(scope="session")
def templates() -> Iterator[Templates]:
    """Start this worker's own server and seed one template database per schema."""
    with tempfile.TemporaryDirectory(prefix="oc-", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder) / "pg", durable=False)
        cluster.start(owned=True)
        made = Templates(cluster, Path(folder))
        for schema in get_args(Schema):
            name = f"template_{schema}"
            made.command("CREATE DATABASE {name}", name=name)
            portfolio = Portfolio(invoices=INVOICES, schema=schema)
            populate(cluster.url(name), portfolio, made.artifacts / schema)
        yield made
        cluster.stop()


CloneDatabase = Callable[[Schema], Database]


@pytest.fixture
def clone_database(templates: Templates) -> Iterator[CloneDatabase]:
    """Make databases for this test alone; each is dropped afterwards, clients or not."""
    made: list[str] = []

    def clone(schema: Schema) -> Database:
        name = f"test_{next(_numbers)}"
        templates.command(
            "CREATE DATABASE {name} TEMPLATE {source}", name=name, source=f"template_{schema}"
        )
        made.append(name)
        return Database(templates.cluster.url(name), schema, templates.artifacts / schema)

    yield clone
    for name in made:
        templates.command("DROP DATABASE {name} WITH (FORCE)", name=name)


@pytest.fixture
def app_database(clone_database: CloneDatabase) -> Database:
    """A seeded database of schema "app"."""
    return clone_database("app")


@pytest.fixture
def cloud_database(clone_database: CloneDatabase) -> Database:
    """A seeded database of schema "cloud"."""
    return clone_database("cloud")


@pytest.fixture(params=get_args(Schema))
def both_schemas(request: pytest.FixtureRequest, clone_database: CloneDatabase) -> Database:
    """A seeded database, once of each schema."""
    return clone_database(request.param)


@pytest.fixture
def empty_database(templates: Templates) -> Iterator[str]:
    """The URL of a database without any table."""
    name = f"empty_{next(_numbers)}"
    templates.command("CREATE DATABASE {name}", name=name)
    yield templates.cluster.url(name)
    templates.command("DROP DATABASE {name} WITH (FORCE)", name=name)


@pytest.fixture
def shell(app_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> "Shell":
    """The command line at a database of schema "app", with a session folder of its own."""
    from tests.database.cli_kit import Shell

    return Shell(app_database, tmp_path, capsys)


@pytest.fixture
def applied(both_schemas: Database) -> Database:
    """A database in which the incident's upsert was applied."""
    from tests.database.billing import apply, upsert

    apply(upsert(both_schemas, both_schemas.csv))
    return both_schemas
