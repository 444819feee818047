"""Helpers that drive the app as an operator would and wait for facts, never for time."""

from __future__ import annotations

from collections.abc import Callable

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList

from screens.app import OpsConsole
from screens.confirm import ConfirmScreen
from screens.form import FormScreen
from screens.widgets.keyset_table import KeysetTable
from screens.widgets.pages import Row


async def settled(pilot: Pilot[int]) -> None:
    """Wait until no job runs and every message is handled."""
    app = pilot.app
    assert isinstance(app, OpsConsole)
    await pilot.pause()
    while app.runner.busy or app.running or any(not w.is_finished for w in app.workers):
        await app.workers.wait_for_complete()
        await pilot.pause()
    await pilot.pause()


def rows_in_view(table: KeysetTable) -> list[Row]:
    """The rows of a table that stand on the screen."""
    first, height = table.scroll_offset.y, table.scrollable_content_region.height - 1
    found = (table._kept.row_at(index) for index in range(first, first + height))
    return [row for row in found if row is not None]


async def until(pilot: Pilot[int], fact: Callable[[], bool], what: str) -> None:
    """Wait for a fact."""
    for _ in range(600):
        if fact():
            return
        await pilot.pause(0.02)
    raise AssertionError(f"never happened: {what}; in front: {pilot.app.screen!r}")


async def on_screen(pilot: Pilot[int], kind: type[Screen[object]]) -> None:
    """Wait for a screen to be in front."""
    await until(pilot, lambda: isinstance(pilot.app.screen, kind), kind.__name__)
    await settled(pilot)


async def go_to(pilot: Pilot[int], section: str) -> None:
    """Put the checklist's cursor on a section."""
    screen = pilot.app.screen
    book = screen.book  # type: ignore[attr-defined]
    index = next(i for i, step in enumerate(book.steps) if step.section == section)
    screen.query_one("#steps", OptionList).highlighted = index
    await pilot.pause()


async def fill(pilot: Pilot[int], **values: str) -> None:
    """Fill fields of the form in front and send it."""
    form = pilot.app.screen
    assert isinstance(form, FormScreen)
    for name, value in values.items():
        form.query_one(f"#field-{name}", Input).value = value
    await pilot.press("enter")


async def confirm(pilot: Pilot[int]) -> None:
    """Wait until the dialog can be answered, then say yes by its key."""
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen), "the confirmation")
    dialog = pilot.app.screen
    assert isinstance(dialog, ConfirmScreen)
    await until(pilot, lambda: dialog.armed, "the dwell")
    await pilot.press("y")


async def run_step(pilot: Pilot[int], section: str) -> None:
    """Start a step of the checklist in front and wait for what it leads to."""
    await settled(pilot)
    await go_to(pilot, section)
    await pilot.press("enter")
    await settled(pilot)


async def to_plan(pilot: Pilot[int]) -> None:
    """Go on to the upsert's plan, with a run id filled in."""
    await run_step(pilot, "3")
    await fill(pilot, run_id="manual-20260208-fix42")
    await settled(pilot)
