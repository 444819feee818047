"""What the benchmarks share: a durable server, a portfolio of invoices, and a file of lines."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from console.billing.upsert import UpsertMissingLines, UpsertOperation
from console.desk import Desk
from console.operation import Applied, Outcome, Plan, Planned
from console.paths import sql_root
from console.sandbox.postgres import Cluster
from console.settings import Environment, Settings

LINES_PER_INVOICE = 5
HEADER = "invoice_id,unit_id,line_type,description,amount,tax_rate,meta"


@contextmanager
def server() -> Iterator[Cluster]:
    """A server of its own with fsync on, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ops-bench-") as folder:
        cluster = Cluster(Path(folder) / "pg")
        cluster.start(owned=True)
        try:
            yield cluster
        finally:
            cluster.stop()


def script(connection: psycopg.Connection, *parts: str) -> None:
    connection.execute(sql.SQL(sql_root().joinpath(*parts).read_text(encoding="utf-8")))


def portfolio(cluster: Cluster, name: str, invoices: int, schema: str = "app") -> str:
    """Make a database with invoices and no lines; returns its URL."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(cluster.url(name), autocommit=True) as connection:
        script(connection, "schema", "shared.sql")
        script(connection, "schema", f"{schema}.sql")
        script(connection, "migrations", "0001_ledger.sql")
        for statement in _FILL:
            connection.execute(statement, {"invoices": invoices})
    return cluster.url(name)


_FILL = (
    "INSERT INTO organizations (id, name) VALUES (gen_random_uuid(), 'Muster')",
    """INSERT INTO properties (id, organization_id, name)
       SELECT gen_random_uuid(), id, 'Haus' FROM organizations""",
    """INSERT INTO units (id, property_id, top_nummer)
       SELECT gen_random_uuid(), p.id, 'Top ' || n
       FROM properties p, generate_series(1, %(invoices)s / 12 + 1) n""",
    """INSERT INTO tenants (id, unit_id, first_name, last_name)
       SELECT gen_random_uuid(), id, 'Eva', 'Muster' FROM units""",
    """INSERT INTO monthly_invoices (id, tenant_id, unit_id, year, month, gesamtbetrag, faellig_am)
       SELECT gen_random_uuid(), t.id, t.unit_id, 2026, m, 850, make_date(2026, m, 5)
       FROM tenants t, generate_series(1, 12) m LIMIT %(invoices)s""",
    "VACUUM ANALYZE",
)

_FILE = """COPY (
  SELECT i.id AS invoice_id, i.unit_id,
         (ARRAY['grundmiete', 'betriebskosten', 'heizkosten', 'wasserkosten', 'sonstige'])[n]
           AS line_type,
         'Position ' || n || ' Jänner 2026' AS description,
         round((100 + n * 7.35 + %(more)s)::numeric, 2) AS amount, 10 AS tax_rate,
         '{"reference": "MRG §15"}' AS meta
  FROM monthly_invoices i, generate_series(1, 5) n ORDER BY i.id, n LIMIT %(rows)s
) TO STDOUT (FORMAT csv, HEADER)"""


def write_file(url: str, path: Path, rows: int, more: int = 0) -> Path:
    """Write a CSV of `rows` lines for the database's invoices; `more` shifts every amount."""
    text = _FILE.replace("%(more)s", str(more)).replace("%(rows)s", str(rows))
    with (
        psycopg.connect(url) as connection,
        path.open("wb") as out,
        connection.cursor().copy(text) as copy,
    ):
        for block in copy:
            out.write(block)
    return path


def settle_down(url: str, *, clear: bool) -> None:
    """Give every run the same start: no lines or the ones there are, vacuumed, checkpointed."""
    with psycopg.connect(url, autocommit=True) as connection:
        if clear:
            connection.execute("TRUNCATE invoice_lines, audit_logs")
            connection.execute("ALTER TABLE ops_console.runs DISABLE TRIGGER USER")
            connection.execute("TRUNCATE ops_console.runs")
            connection.execute("ALTER TABLE ops_console.runs ENABLE TRIGGER USER")
        connection.execute("VACUUM ANALYZE invoice_lines")
        connection.execute("VACUUM ANALYZE audit_logs")
        connection.execute("CHECKPOINT")


def desk(url: str) -> Desk:
    settings = Settings()
    environment = Environment.model_validate({"kind": "sandbox", "database_url": url})
    return Desk("bench", environment, settings, operator="bench")


def plan_and_apply(at: Desk, csv: Path, run_id: str) -> tuple[Plan, Outcome, float, float]:
    """Plan and apply one file; returns also the seconds of either."""
    operation = UpsertOperation(at, UpsertMissingLines(csv, run_id))
    began = time.perf_counter()
    plan = next(e.plan for e in operation.plan() if isinstance(e, Planned))
    planned = time.perf_counter()
    outcome = next(e.outcome for e in operation.apply(plan, "0" * 64) if isinstance(e, Applied))
    return plan, outcome, planned - began, time.perf_counter() - planned


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def whole_process(url: str, csv: Path, run_id: str) -> tuple[float, float]:
    """Run `batch-upsert` as a program of its own; seconds, and its peak resident memory in MB."""
    with tempfile.TemporaryDirectory() as sessions:
        command = [sys.executable, "-m", "console", "--session-dir", sessions, "batch-upsert"]
        command += ["--csv", str(csv), "--run-id", run_id, "--database-url", url]
        began = time.perf_counter()
        # An installed program has its bytecode; a variable may forbid writing it.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            raise SystemExit(f"batch-upsert ended with {status}:\n{said.decode()}")
        return seconds, usage.ru_maxrss / 1024


class Figures:
    """Named series of measurements, shown as medians and ratios."""

    def __init__(self) -> None:
        self._series: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        self._series.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        return statistics.median(self._series[name])

    def show(self, rows: int) -> None:
        for name, values in self._series.items():
            middle = statistics.median(values)
            if name.endswith("MB"):
                print(f"  {name:14} {middle:9.1f}")
            else:
                spread = f"{min(values):.3f} to {max(values):.3f}"
                print(f"  {name:14} {middle:9.3f} s {rows / middle:12,.0f} rows/s   {spread}")

    @staticmethod
    def ratio(name: str, value: float, base: float, limit: float) -> None:
        verdict = "ok" if value <= limit * base else "MISSED"
        print(f"  {name:22} {value / base:6.2f}   limit {limit:.2f}   {verdict}")
