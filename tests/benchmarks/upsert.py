"""Upsert against its bare form, whole process included, and rollback against upsert."""

from __future__ import annotations

from pathlib import Path

from console.billing.rollback import RollbackOperation, RollbackRun
from console.desk import Desk
from console.operation import Applied, Planned
from tests.benchmarks.bare import bare_upsert
from tests.benchmarks.bench import (
    Figures,
    desk,
    plan_and_apply,
    settle_down,
    timed,
    whole_process,
)


def rollback(at: Desk, run_id: str) -> None:
    operation = RollbackOperation(at, RollbackRun(run_id, f"undo-{run_id}"))
    plan = next(e.plan for e in operation.plan() if isinstance(e, Planned))
    next(e for e in operation.apply(plan, "0" * 64) if isinstance(e, Applied))


def one_round(url: str, csv: Path, run_id: str, figures: Figures) -> None:
    """Bare, in process, whole process, and the rollback, each from the same start."""
    at = desk(url)
    settle_down(url, clear=True)
    figures.add("bare", timed(lambda: bare_upsert(url, csv)))
    settle_down(url, clear=True)
    _, _, planned, applied = plan_and_apply(at, csv, run_id)
    figures.add("plan", planned)
    figures.add("apply", applied)
    settle_down(url, clear=False)
    figures.add("rollback", timed(lambda: rollback(at, run_id)))
    settle_down(url, clear=True)
    seconds, resident = whole_process(url, csv, f"{run_id}-process")
    figures.add("process", seconds)
    figures.add("resident MB", resident)


def report(figures: Figures, rows: int) -> None:
    figures.show(rows)
    upsert = figures.median("plan") + figures.median("apply")
    figures.ratio("apply / bare", figures.median("apply"), figures.median("bare"), 1.25)
    figures.ratio("process / bare", figures.median("process"), figures.median("bare"), 1.60)
    figures.ratio("rollback / upsert", figures.median("rollback"), upsert, 1.00)
