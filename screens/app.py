"""The app: modes, theme, one runner, and who hears what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.reactive import reactive
from textual.screen import Screen

from console.crash import crash_message
from console.errors import ConsoleError
from console.operation import Check, Target
from console.runbooks import RUNBOOKS
from screens.checklist import ChecklistScreen
from screens.confirm import DWELL_SECONDS, ConfirmScreen
from screens.crash import QuietCrash
from screens.filter import FilteredOutput
from screens.flow import Flow
from screens.home import HomeScreen
from screens.messages import Advanced, Ended
from screens.pace import View
from screens.plan import PlanScreen
from screens.ports import Place, Stage
from screens.progress import ProgressScreen
from screens.questions import before_quit
from screens.runner import Ending, Job, Runner
from screens.theme import CONSOLE

PREFLIGHT = "preflight"
SHEETS = (
    *("app", "home", "checklist", "findings", "plan"),
    *("progress", "rollback", "confirm", "session"),
)
# Textual waits 50 ms before it draws another screen; a key has to be answered by then.
DRAW_AFTER_SECONDS = 0.01


class OpsConsole(FilteredOutput, QuietCrash, App[int]):
    """The console on a terminal."""

    TITLE = "ops-console"
    ENABLE_COMMAND_PALETTE = True
    CSS_PATH: ClassVar[list[str | Path]] = [f"{name}.tcss" for name in SHEETS]  # type: ignore[assignment]

    place: reactive[Place | None] = reactive(None)
    target: reactive[Target | None] = reactive(None)
    preflight: reactive[Check | None] = reactive(None)
    trouble: reactive[str] = reactive("")
    running: reactive[View | None] = reactive(None)

    def __init__(
        self,
        stage: Stage,
        start: str = "home",
        *,
        clock: Callable[[], float] = time.monotonic,
        dwell: float = DWELL_SECONDS,
    ) -> None:
        super().__init__()
        self.stage = stage
        self.flow = Flow(self)
        self.runner = Runner(self, clock)
        self.dwell = dwell
        self.last_view: View | None = None
        self._start = start
        self._leaving = False
        self.register_theme(CONSOLE)
        self.theme = "console"
        self.add_mode("home", HomeScreen)
        for book in RUNBOOKS:
            self.add_mode(book.id, partial(ChecklistScreen, book))

    def get_default_screen(self) -> Screen[None]:
        return HomeScreen()

    def on_mount(self) -> None:
        self.switch_mode("home")
        if self._start != "home":
            self.switch_mode(self._start)
        places = self.stage.places()
        if places:
            # Connecting waits until the first picture stands.
            self.call_after_refresh(self.choose, places[0])

    async def on_event(self, event: events.Event) -> None:
        """Have a busy job wait for the answer to a key."""
        if isinstance(event, events.Key | events.MouseDown):
            self.runner.courtesy.ask()
        await super().on_event(event)

    def delay_update(self, delay: float = DRAW_AFTER_SECONDS) -> None:
        """Put off the drawing while another screen comes in front."""
        super().delay_update(delay)

    def crashed(self, error: Exception) -> str:
        """Write the report of an unexpected error; any thread may call."""
        return crash_message(error, self.crash_folder)

    def choose(self, place: Place) -> None:
        """Work on this environment from now on."""
        if self.runner.busy:
            return
        if place != self.place:
            self.flow.forget()
            self.place, self.target, self.preflight, self.trouble = place, None, None, ""
        self.run_preflight()

    def run_preflight(self) -> bool:
        """Connect to the chosen environment and read what is possible there."""
        place = self.place
        if place is None:
            return False
        events = partial(self.stage.preflight, place.name)
        return self.run_job(Job("Preflight", "read", events, key=PREFLIGHT), watch=False)

    def run_job(self, job: Job, watch: bool = True) -> bool:
        """Run a job in the one worker, and show how far it is."""
        if not self.runner.claim(job):
            self.notify("Another operation is running.", severity="warning", markup=False)
            return False
        self.running = self.last_view = View(job.title, job.verb)
        # Textual's own thread workers hold up the exit for as long as a server does not answer.
        threading.Thread(target=self.runner.work, name="runner", daemon=True).start()
        if watch:
            self._watch_it()
        return True

    def _watch_it(self) -> None:
        if isinstance(self.screen, PlanScreen):
            # The plan is used or replaced by this job; nobody goes back to it.
            self.switch_screen(ProgressScreen())
        elif not isinstance(self.screen, ProgressScreen):
            self.push_screen(ProgressScreen())

    def on_advanced(self, message: Advanced) -> None:
        """Show the newest progress."""
        if self.runner.busy:
            self.running = self.last_view = message.view

    def on_ended(self, message: Ended) -> None:
        """Keep the outcome, and let the screen in front show it."""
        ending = message.ending
        self.running, self.last_view = None, ending.view
        if ending.job.key == PREFLIGHT:
            self._preflighted(ending)
        self.flow.ended(ending)
        if self._leaving:
            self.leave()
        elif isinstance(self.screen, ProgressScreen):
            self.screen.ended(ending)

    def _preflighted(self, ending: Ending) -> None:
        self.preflight = ending.check
        self.trouble = ending.error.message if ending.error else ""
        place = self.place
        if place is None or ending.error is not None:
            self.target = None
            return
        try:
            self.target = self.stage.target(place.name)
        except ConsoleError as error:
            self.trouble = error.message

    def ask_to_quit(self) -> None:
        """Leave at once when nothing runs, else ask."""
        job = self.runner.job
        if self.running is None or (job is not None and job.key == PREFLIGHT):
            self.leave()
        else:
            question = before_quit(self.running.title)
            self.push_screen(ConfirmScreen(question, self.dwell), self._quit_answered)

    def _quit_answered(self, yes: bool | None) -> None:
        if yes and self.runner.busy:
            self._leaving = True
            self.runner.stop()
        elif yes:
            self.leave()

    def leave(self) -> None:
        """Give back what is open, and end."""
        self.stage.close()
        self.exit(0)

    def get_system_commands(self, _screen: Screen[Any]) -> Iterable[SystemCommand]:
        """None of Textual's own: a screenshot would write customer data to the disk."""
        return ()

    async def action_quit(self) -> None:
        """What ctrl+q does: the same as the key of the screens."""
        self.ask_to_quit()
