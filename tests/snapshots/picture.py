"""Draws the README's picture: the checklist of the billing runbook in the middle of an incident."""

from __future__ import annotations

import asyncio
from pathlib import Path

from screens.app import OpsConsole
from screens.ports import Mark
from tests.pilot.driving import go_to, settled
from tests.pilot.stage import NOW, MemoryStage

PICTURE = Path(__file__).with_name("checklist.svg")
DONE = {
    "billing.1.1": Mark("attested", "", NOW, "backup_20260208_021409.dump, 2.1 GB"),
    "billing.1.2": Mark("done", "passed", NOW),
    "billing.1.3": Mark("attested", "", NOW, "Artifact validation passed"),
    "billing.2.1": Mark("attested", "", NOW, "no migration was due"),
    "billing.2.2": Mark("attested", "", NOW, "both indexes are valid"),
}


async def draw() -> None:
    """Write the picture anew."""
    stage = MemoryStage()
    app = OpsConsole(stage, "billing", clock=lambda: 0.0, dwell=0.0)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        incident = stage.begin(app.screen.book, "demo")  # type: ignore[attr-defined]
        incident.marked |= DONE
        app.flow.opened(incident)
        await pilot.press("s", "escape")
        await settled(pilot)
        await go_to(pilot, "3")
        PICTURE.write_text(app.export_screenshot(simplify=True), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(draw())
