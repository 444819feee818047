"""Every screen as a picture at both sizes, with hostile text in the data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from textual.pilot import Pilot

from console.operation import BatchWritten, CommitSent, Progress
from screens.app import OpsConsole
from screens.confirm import ConfirmScreen
from screens.pace import Pace
from screens.ports import Case, Mark
from screens.progress import ProgressScreen
from tests.pilot.driving import confirm, fill, go_to, on_screen, run_step, settled, to_plan, until
from tests.pilot.stage import HOSTILE, NOW, Gate, MemoryStage

SIZES = [(80, 24), (120, 36)]
Scene = Callable[[Pilot[int], MemoryStage], Awaitable[None]]
Compare = Callable[..., bool]


async def home(pilot: Pilot[int], stage: MemoryStage) -> None:
    await settled(pilot)


async def checklist(pilot: Pilot[int], stage: MemoryStage) -> None:
    await settled(pilot)
    app = pilot.app
    assert isinstance(app, OpsConsole)
    incident = stage.begin(app.screen.book, "demo")  # type: ignore[attr-defined]
    incident.marked |= {
        "billing.1.1": Mark("attested", "", NOW, f"backup_1.dump {HOSTILE}"),
        "billing.1.2": Mark("failed", "2 groups share a key", NOW),
        "billing.3": Mark("in_doubt", "run manual-20260208-fix42", NOW),
        "billing.4.1": Mark("planned", "8 rows", NOW),
    }
    app.flow.opened(incident)
    await pilot.press("s", "escape")
    await settled(pilot)
    await go_to(pilot, "1.1")


async def form(pilot: Pilot[int], stage: MemoryStage) -> None:
    await run_step(pilot, "3")
    await pilot.press("enter")
    await settled(pilot)


async def evidence(pilot: Pilot[int], stage: MemoryStage) -> None:
    await run_step(pilot, "1.1")
    await pilot.press("enter")


async def command(pilot: Pilot[int], stage: MemoryStage) -> None:
    await settled(pilot)
    await go_to(pilot, "1.2")
    await pilot.press("c")


async def keys(pilot: Pilot[int], stage: MemoryStage) -> None:
    await settled(pilot)
    await pilot.press("question_mark")


async def findings(pilot: Pilot[int], stage: MemoryStage) -> None:
    stage.next_operation = "duplicates"
    await run_step(pilot, "1.2")


async def nothing_found(pilot: Pilot[int], stage: MemoryStage) -> None:
    stage.next_operation, stage.answer = "duplicates", "pass"
    await run_step(pilot, "1.2")


async def plan(pilot: Pilot[int], stage: MemoryStage) -> None:
    await to_plan(pilot)
    await pilot.press("down")
    await settled(pilot)


async def question(pilot: Pilot[int], stage: MemoryStage) -> None:
    await to_plan(pilot)
    await pilot.press("a")
    await settled(pilot)


async def production(pilot: Pilot[int], stage: MemoryStage) -> None:
    stage.kind = "production"
    await question(pilot, stage)
    assert isinstance(pilot.app.screen, ConfirmScreen)


async def running(pilot: Pilot[int], stage: MemoryStage) -> None:
    """A view made by hand: a real one depends on the clock."""
    app = pilot.app
    assert isinstance(app, OpsConsole)
    await settled(pilot)
    now = iter([float(n) for n in range(100)])
    pace = Pace("Applying: Upsert the missing lines", "apply", lambda: next(now))
    for number in range(12):
        pace.take(Progress("write", number * 5000, 100_000))
        view = pace.take(BatchWritten(number, {"insert": 4000, "update": 1000}, 0.2 + number % 3))
    if stage.waiting:
        view = pace.waits(stage.waiting)
    if stage.answer == "pass":
        view = pace.take(CommitSent("r"))
    app.running = app.last_view = view
    app.push_screen(ProgressScreen())
    await pilot.pause()


async def waiting(pilot: Pilot[int], stage: MemoryStage) -> None:
    stage.waiting = "waiting for pid 4121 (report_job, idle in transaction 41 min)"
    await running(pilot, stage)


async def committing(pilot: Pilot[int], stage: MemoryStage) -> None:
    stage.answer = "pass"
    await running(pilot, stage)


async def done(pilot: Pilot[int], stage: MemoryStage) -> None:
    await question(pilot, stage)
    await confirm(pilot)
    await settled(pilot)


async def stopped(pilot: Pilot[int], stage: MemoryStage) -> None:
    stage.gate = Gate()
    await question(pilot, stage)
    await confirm(pilot)
    await until(pilot, stage.gate.reached.is_set, "the apply")
    await pilot.press("x")
    await settled(pilot)


async def rollback(pilot: Pilot[int], stage: MemoryStage) -> None:
    stage.next_operation = "rollback"
    await run_step(pilot, "6.2")
    await pilot.press("n")
    await settled(pilot)
    await pilot.press("k")
    await settled(pilot)


async def session(pilot: Pilot[int], stage: MemoryStage) -> None:
    await run_step(pilot, "1.1")
    await fill(pilot, evidence=HOSTILE)
    await settled(pilot)
    await pilot.press("s")
    await settled(pilot)
    await pilot.press("end")
    await settled(pilot)


SCENES: list[Scene] = [
    home, checklist, form, evidence, command, keys, findings, nothing_found, plan, question,
    production, running, waiting, committing, done, stopped, rollback, session,
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_screen(
    scene: Scene, size: tuple[int, int], stage: MemoryStage, snap_compare: Compare
) -> None:
    """The picture of the scene is the one that was agreed on."""
    stage.held = [
        Case("20260207-221409-a41f9c", "billing", "demo", datetime(2026, 2, 7, 22, 14, tzinfo=UTC),
             f"billing, at step 3, {HOSTILE}", "in doubt: manual-20260207-fix41"),
    ]  # fmt: skip
    app = OpsConsole(stage, "home" if scene is home else "billing", clock=lambda: 0.0, dwell=0.0)

    async def run_before(pilot: Pilot[int]) -> None:
        await scene(pilot, stage)
        await pilot.pause()

    assert snap_compare(app, run_before=run_before, terminal_size=size)


@pytest.mark.parametrize("scene", [plan, findings, session], ids=lambda scene: scene.__name__)
async def test_no_control_character_is_in_the_picture(scene: Scene, stage: MemoryStage) -> None:
    """What a terminal obeys is in no picture; the hostile text stands there, spelled out."""
    app = OpsConsole(stage, "billing", clock=lambda: 0.0, dwell=0.0)
    async with app.run_test(size=(120, 36)) as pilot:
        await scene(pilot, stage)
        picture = app.export_screenshot()
        assert not any(mark in picture for mark in ("\x1b", "\x07", "\u202e"))
        assert "click=app.quit" in picture


async def test_a_scene_needs_its_screen(stage: MemoryStage) -> None:
    """The done scene ends on the progress screen, not on the way to it."""
    app = OpsConsole(stage, "billing", clock=lambda: 0.0, dwell=0.0)
    async with app.run_test() as pilot:
        await done(pilot, stage)
        await on_screen(pilot, ProgressScreen)
