"""Upsert against its bare form, with and without the chain trigger, and rollback against upsert."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from console.billing.rollback import RollbackOperation, RollbackRun
from console.billing.verification import VerifyRun, VerifyRunOperation
from console.desk import Desk
from console.operation import Applied, Planned
from tests.benchmarks.bare import bare_upsert
from tests.benchmarks.bench import (
    LINES_PER_INVOICE,
    desk,
    median,
    plan_and_apply,
    portfolio,
    server,
    settle_down,
    timed,
    write_file,
)


def rollback(at: Desk, run_id: str) -> None:
    operation = RollbackOperation(at, RollbackRun(run_id, f"undo-{run_id}"))
    plan = next(e.plan for e in operation.plan() if isinstance(e, Planned))
    next(e for e in operation.apply(plan, "0" * 64) if isinstance(e, Applied))


def one_round(url: str, csv: Path, run_id: str, figures: dict[str, list[float]]) -> None:
    at = desk(url)
    settle_down(url, clear=True)
    figures["bare"].append(timed(lambda: bare_upsert(url, csv)))
    settle_down(url, clear=True)
    _, _, planned, applied = plan_and_apply(at, csv, run_id)
    figures["plan"].append(planned)
    figures["apply"].append(applied)
    figures["verify"].append(timed(lambda: list(VerifyRunOperation(at, VerifyRun(run_id)).read())))
    settle_down(url, clear=False)
    figures["rollback"].append(timed(lambda: rollback(at, run_id)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--schema", choices=["app", "cloud"], default="app")
    given = parser.parse_args()
    names = ("bare", "plan", "apply", "verify", "rollback")
    figures: dict[str, list[float]] = {name: [] for name in names}
    with server() as cluster, tempfile.TemporaryDirectory() as folder:
        invoices = given.rows // LINES_PER_INVOICE + 1
        url = portfolio(cluster, "bench", invoices, given.schema)
        csv = write_file(url, Path(folder) / "lines.csv", given.rows)
        for number in range(given.rounds):
            one_round(url, csv, f"bench-run-{number}", figures)
    found = {name: median(values) for name, values in figures.items()}
    for name, value in found.items():
        print(f"{name:10} {value:8.3f} s  {given.rows / value:12,.0f} rows/s")
    whole = found["plan"] + found["apply"] + found["verify"]
    print(f"apply / bare      {found['apply'] / found['bare']:.2f}   limit 1.25")
    print(f"whole / bare      {whole / found['bare']:.2f}   limit 1.60 (without process start)")
    upsert = found["plan"] + found["apply"]
    print(f"rollback / upsert {found['rollback'] / upsert:.2f}   limit 1.00")


if __name__ == "__main__":
    main()
