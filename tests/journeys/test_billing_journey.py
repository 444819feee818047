"""The whole billing runbook through the screens, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from console.settings import Environment, Settings
from screens.app import OpsConsole
from screens.checklist import ChecklistScreen
from screens.findings import FindingsScreen
from screens.form import FormScreen
from screens.plan import PlanScreen
from screens.progress import ProgressScreen
from screens.rollback import RollbackScreen
from screens.session import SessionScreen
from screens.wiring import Wiring
from tests.database.conftest import Database
from tests.pilot.driving import confirm, fill, go_to, on_screen, settled, until

LINES = "SELECT * FROM invoice_lines ORDER BY id"


def wiring(database: Database, folder: Path) -> Wiring:
    environment = Environment(
        kind="sandbox",
        database_url=SecretStr(database.url),
        artifacts=str(database.artifacts),
    )
    settings = Settings(default_environment="demo", environments={"demo": environment})
    return Wiring(settings, operator="tester", reason="journey", session_dir=folder)


@pytest.fixture
def stage(app_database: Database, tmp_path: Path) -> Wiring:
    return wiring(app_database, tmp_path / "sessions")


async def test_the_whole_runbook(stage: Wiring, app_database: Database, tmp_path: Path) -> None:
    """Precheck, upsert, verification, someone's edit, rollback with a decision, the log of it."""
    with app_database.connect() as observer:
        before = observer.execute(LINES).fetchall()
        app = OpsConsole(stage)
        async with app.run_test(size=(120, 36)) as pilot:
            await settled(pilot)
            assert app.preflight is not None, app.trouble
            assert app.preflight.answer in ("pass", "warn")
            await pilot.press("enter")
            await on_screen(pilot, ChecklistScreen)

            # 1.1 by hand, with evidence
            await pilot.press("enter")
            await fill(pilot, evidence="backup_20260208_021409.dump, 2.1 GB, 214 entries")
            await on_screen(pilot, ChecklistScreen)

            # 1.2 finds the seeded duplicate
            await go_to(pilot, "1.2")
            await pilot.press("enter")
            await on_screen(pilot, FindingsScreen)
            assert app.flow.ending is not None
            assert app.flow.ending.check is not None
            assert app.flow.ending.check.answer == "fail"
            await pilot.press("escape")

            # 3: plan, read, apply, verified
            await go_to(pilot, "3")
            await pilot.press("enter")
            await on_screen(pilot, FormScreen)
            await fill(pilot, csv=str(app_database.csv), run_id="manual-20260208-fix42")
            await on_screen(pilot, PlanScreen)
            plan = app.flow.planned["billing"].plan
            assert plan is not None
            assert plan.rows_written > 0
            assert observer.execute(LINES).fetchall() == before
            await pilot.press("a")
            await confirm(pilot)
            await on_screen(pilot, ProgressScreen)
            applied = app.flow.applied["billing"]
            assert applied.outcome is not None
            assert sum(applied.outcome.counts.values()) == plan.rows_written
            assert applied.check is not None
            assert applied.check.answer in ("pass", "warn"), applied.check
            after = observer.execute(LINES).fetchall()
            assert after != before

            # 4.1 and 4.2 by themselves
            for section in ("4.1", "4.2"):
                await pilot.press("escape")
                await on_screen(pilot, ChecklistScreen)
                await go_to(pilot, section)
                await pilot.press("enter")
                await on_screen(pilot, FormScreen)
                await pilot.press("enter")
                await on_screen(pilot, FindingsScreen)
                assert app.flow.ending.check.answer in ("pass", "warn")

            # someone edits one line of the run
            edited = observer.execute(
                "SELECT record_id FROM audit_logs WHERE new_data->>'run_id' = %s"
                " AND new_data->>'operation' = 'insert' ORDER BY 1 LIMIT 1",
                ["manual-20260208-fix42"],
            ).fetchone()
            assert edited is not None
            observer.execute(
                "UPDATE invoice_lines SET amount = amount + 7 WHERE id = %s::uuid", [str(edited[0])]
            )

            # 6.2: the edit is a conflict and is kept
            await pilot.press("escape")
            await on_screen(pilot, ChecklistScreen)
            await go_to(pilot, "6.2")
            await pilot.press("enter")
            await on_screen(pilot, FormScreen)
            await fill(pilot, reason="wrong month", new_run_id="undo-20260208-fix42")
            await on_screen(pilot, RollbackScreen)
            undo = app.flow.planned["billing"].plan
            assert undo is not None
            assert undo.counts["changed"] == 1
            await pilot.press("n")
            await settled(pilot)
            await pilot.press("k")
            assert app.screen.decisions == {str(edited[0]): "keep"}  # type: ignore[attr-defined]
            await pilot.press("d")
            await until(pilot, lambda: app.flow.planned["billing"].plan is not undo, "a new plan")
            await on_screen(pilot, RollbackScreen)
            await pilot.press("a")
            await confirm(pilot)
            await on_screen(pilot, ProgressScreen)
            assert app.flow.applied["billing"].outcome is not None
            left = {row[0]: row for row in observer.execute(LINES).fetchall()}
            kept = [row for row in left.values() if row not in before]
            assert len(kept) == 1, "only the edited line is left of the run"

            # the session tells it all, and its chain holds
            await pilot.press("escape")
            await on_screen(pilot, ChecklistScreen)
            await pilot.press("s")
            await on_screen(pilot, SessionScreen)
            incident = app.flow.incident(app.screen_stack[0].book)  # type: ignore[attr-defined]
            assert incident is not None
            assert incident.verify_log().answer == "pass"
            marks = incident.marks()
            assert {marks[f"billing.{s}"].standing for s in ("3", "4.1", "6.2")} == {"done"}
            assert marks["billing.1.1"].standing == "attested"
            await pilot.press("q")
        assert app.return_code == 0
