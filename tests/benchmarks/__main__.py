"""Runs the benchmarks: medians and ratios within one run, against their limits."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from console.sandbox.postgres import Cluster
from tests.benchmarks import screens, upsert
from tests.benchmarks.bench import (
    LINES_PER_INVOICE,
    Figures,
    desk,
    plan_and_apply,
    portfolio,
    server,
    settle_down,
    whole_process,
    write_file,
)


def upserts(cluster: Cluster, folder: Path, rows: int, rounds: int) -> None:
    """Apply, whole process and rollback of one size against the bare form."""
    print(f"Upsert of {rows:,} rows")
    url = portfolio(cluster, f"upsert_{rows}", rows // LINES_PER_INVOICE + 1)
    csv = write_file(url, folder / f"{rows}.csv", rows)
    figures = Figures()
    for number in range(rounds):
        upsert.one_round(url, csv, f"bench-{rows}-{number}", figures)
    upsert.report(figures, rows)


def chain(cluster: Cluster, folder: Path, rows: int, rounds: int) -> None:
    """The users' chain trigger present against absent, from an empty audit table."""
    print(f"Upsert of {rows:,} rows with the users' chain trigger")
    figures = Figures()
    urls = {
        name: portfolio(cluster, f"chain_{name}", rows // LINES_PER_INVOICE + 1, "cloud")
        for name in ("without", "with")
    }
    with psycopg.connect(urls["without"], autocommit=True) as connection:
        connection.execute("ALTER TABLE audit_logs DISABLE TRIGGER trg_audit_log_hash")
    for number in range(rounds):
        for name, url in urls.items():
            csv = write_file(url, folder / f"chain_{name}.csv", rows)
            settle_down(url, clear=True)
            figures.add(name, plan_and_apply(desk(url), csv, f"bench-chain-{number}")[3])
    figures.show(rows)
    figures.ratio("with / without", figures.median("with"), figures.median("without"), 1.70)


def growth(cluster: Cluster, folder: Path, sizes: tuple[int, ...]) -> None:
    """The whole process at growing sizes: time and resident memory."""
    print("Growth of the whole process")
    first: tuple[int, float] | None = None
    for rows in sizes:
        url = portfolio(cluster, f"growth_{rows}", rows // LINES_PER_INVOICE + 1)
        csv = write_file(url, folder / f"growth_{rows}.csv", rows)
        settle_down(url, clear=True)
        seconds, resident = whole_process(url, csv, f"bench-growth-{rows}")
        first = first or (rows, seconds)
        exponent = seconds / first[1] / (rows / first[0])
        print(
            f"  {rows:>9,} rows {seconds:8.2f} s {rows / seconds:10,.0f} rows/s "
            f"{resident:6.1f} MB   {exponent:.2f} of linear"
        )


def main() -> None:
    parts: dict[str, Callable[[Cluster, Path], None]] = {
        "upsert": lambda c, f: upserts(c, f, 100_000, given.rounds),
        "chain": lambda c, f: chain(c, f, 100_000, given.rounds),
        "growth": lambda c, f: growth(c, f, (10_000, 100_000, 1_000_000)),
        "screens": lambda c, f: screens.screens(c, f, given.rounds, (100_000, 1_000_000)),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", default=list(parts), help=", ".join(parts))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with server() as cluster, tempfile.TemporaryDirectory() as folder:
        for name in given.part:
            parts[name](cluster, Path(folder))


if __name__ == "__main__":
    main()
