"""Leaving in the middle and going on, and a run whose end the log does not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList, Static

from console.operation import CommitSent
from console.runbooks import BILLING
from screens.app import OpsConsole
from screens.checklist import ChecklistScreen
from screens.home import HomeScreen
from screens.plan import PlanScreen
from screens.ports import Incident
from screens.progress import ProgressScreen
from tests.database.conftest import Database
from tests.journeys.test_billing_journey import wiring
from tests.pilot.driving import confirm, fill, go_to, on_screen, run_step, settled

RUN_ID = "manual-20260208-fix42"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def values(incident: Incident, step: str) -> dict[str, str]:
    """What the form of a step is filled with."""
    return {field.name: field.value for field in incident.fields(BILLING.step(step))}


async def test_going_on_where_it_was(app_database: Database, folder: Path) -> None:
    """A plan is applied and the console left; the next one offers the session and knows the run."""
    app = OpsConsole(wiring(app_database, folder), "billing", dwell=0.0)
    async with app.run_test(size=(120, 36)) as pilot:
        await run_step(pilot, "3")
        await fill(pilot, csv=str(app_database.csv), run_id=RUN_ID)
        await on_screen(pilot, PlanScreen)
        await pilot.press("a")
        await confirm(pilot)
        await on_screen(pilot, ProgressScreen)
        await pilot.press("q")
    again = OpsConsole(wiring(app_database, folder), dwell=0.0)
    async with again.run_test(size=(120, 36)) as pilot:
        await on_screen(pilot, HomeScreen)
        again.screen.query_one("#cases", OptionList).focus()
        await pilot.press("enter")
        await on_screen(pilot, ChecklistScreen)
        incident = again.flow.incident(BILLING)
        assert incident is not None
        assert incident.marks()["billing.3"].standing == "done"
        rollback = {
            field.name: field.value for field in incident.fields(BILLING.step("billing.6.2"))
        }
        assert rollback["run_id"] == RUN_ID
        retry = values(incident, "billing.5.3")
        assert retry["run_id"].startswith("retry-")
        assert retry["csv"] == str(app_database.csv)


async def test_a_run_in_doubt_is_settled_first(app_database: Database, folder: Path) -> None:
    """The console dies after COMMIT went out; the next one asks the server and writes it down."""
    stage = wiring(app_database, folder)
    stage.target("demo")
    incident = stage.begin(BILLING, "demo")
    step = BILLING.step("billing.3")
    inputs = {"csv": str(app_database.csv), "run_id": RUN_ID, "batch_size": "50"}
    operation = incident.operation(incident.command(step, inputs))
    planned = [*incident.run("plan", operation, step=step.id)][-1]
    events = incident.run("apply", operation, step=step.id, plan=planned.plan)  # type: ignore[attr-defined]
    for event in events:
        if isinstance(event, CommitSent):
            break
    log = folder / f"{incident.id}.jsonl"
    torn = log.read_bytes()  # what stands on the disk when the process dies here
    events.close()  # type: ignore[attr-defined]
    operation.close()
    stage.close()
    log.write_bytes(torn)
    app = OpsConsole(wiring(app_database, folder), dwell=0.0)
    async with app.run_test(size=(120, 36)) as pilot:
        await on_screen(pilot, HomeScreen)
        app.screen.query_one("#cases", OptionList).focus()
        await pilot.press("enter")
        await on_screen(pilot, ChecklistScreen)
        screen = app.screen
        assert isinstance(screen, ChecklistScreen)
        await go_to(pilot, "3")
        assert "in doubt" in screen.why_not("start")
        await pilot.press("x")
        await on_screen(pilot, ProgressScreen)
        said = str(app.screen.query_one("#result", Static).content)
        assert "did not commit and cannot any more" in said
        await pilot.press("escape")
        await settled(pilot)
        assert screen.why_not("start") == ""
        found = app.flow.incident(BILLING)
        assert found is not None
        assert found.marks()["billing.3"].standing == "failed"
        assert found.verify_log().answer == "pass"
