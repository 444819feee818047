"""One operation while it runs, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import ProgressBar, Sparkline, Static

from console.operation import Outcome
from screens import present
from screens.actions import bindings
from screens.base import ConsoleScreen
from screens.flow import Task
from screens.meter import facts
from screens.pace import State, View
from screens.results import result_screen
from screens.runner import Ending
from screens.widgets.facts import Fact
from screens.words import counts, paragraph

STATES: Mapping[State, tuple[str, str]] = {
    "running": ("… running", present.ACCENT),
    "stopping": ("… stop asked for; waiting until the server has rolled back", present.WARN),
    "committing": ("… COMMIT is out; it can no longer be stopped", present.WARN),
    "done": ("✓ done", present.GOOD),
    "failed": ("✗ failed, nothing was kept", present.FAIL),
    "stopped": ("! stopped, rolled back, nothing was kept", present.WARN),
    "in_doubt": ("? in doubt: COMMIT went out, its answer was lost", present.WARN),
}


class ProgressScreen(ConsoleScreen):
    """Phase, rows, rate, rest, batch times, what it waits for; afterwards the outcome."""

    TITLE_WORD = "Progress"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("open", "cancel", "copy", "back", "help", "quit")
    ]

    def __init__(self) -> None:
        super().__init__()
        self._composed = False
        # A short operation may have ended before there was a widget to show it.
        self._late: Ending | None = None

    def body(self) -> Iterator[Any]:
        with VerticalScroll(id="panel"):
            yield Static(id="state")
            bar = ProgressBar(show_eta=False, id="meter")
            yield bar
            yield Fact("Phase", id="phase")
            yield Fact("Done", id="done")
            yield Fact("Rate", id="rate")
            yield Fact("Left", id="left")
            yield Fact("Elapsed", id="elapsed")
            yield Fact("Written", id="written")
            yield Fact("Waits", id="waits")
            yield Fact("Server", id="server")
            yield Fact("Batches", id="batches")
            yield Sparkline([], id="times")
            yield Static(id="result")

    def ready(self) -> None:
        self._composed = True
        self.query_one("#panel", VerticalScroll).focus()
        self.watch(self.app, "running", self._show)
        self._show()
        ending = self.console.flow.ending
        if self.console.running is None and ending is not None:
            self.show_ending(ending)
        if self._late is not None:
            self.ended(self._late)

    def _show(self) -> None:
        view = self.console.running or self.console.last_view
        if view is not None and self._composed:
            self._show_view(view)

    def _show_view(self, view: View) -> None:
        self.query_one("#panel").border_title = present.label(view.title).plain
        word, style = STATES[view.state]
        self.query_one("#state", Static).update(present.label(word, style))
        bar = self.query_one("#meter", ProgressBar)
        bar.display = view.total is not None
        bar.update(total=view.total or 0, progress=min(view.done, view.total or 0))
        for name, said in facts(view).items():
            self.query_one(f"#{name}", Fact).show(said)
        times = self.query_one("#times", Sparkline)
        times.display = len(view.batches) > 1
        times.data = list(view.batches)
        if view.state in ("running", "stopping", "committing"):
            self.query_one("#result", Static).update("")

    def ended(self, ending: Ending) -> None:
        """A task ended while this screen is in front: show it, or go where it leads."""
        if not self._composed:
            self._late = ending
            return
        self.show_ending(ending)
        if ending.error is None and ending.job.verb in ("plan", "read"):
            self.do_open()

    def show_ending(self, ending: Ending) -> None:
        """Say what came of a task."""
        self._show_view(ending.view)
        self.query_one("#result", Static).update(paragraph(*_result(ending)))
        self.refresh_actions()

    def why_not_open(self) -> str:
        if self.console.running:
            return "it is still running"
        return "" if result_screen(self.console.flow) else "there is no result to open"

    def do_open(self) -> None:
        screen = result_screen(self.console.flow)
        if screen is not None:
            self.app.switch_screen(screen)

    def why_not_cancel(self) -> str:
        view = self.console.running
        if view is None:
            return "nothing is running"
        if view.state == "committing":
            return "COMMIT is out; it can no longer be stopped"
        return "a stop was already asked for" if view.state == "stopping" else ""

    def do_cancel(self) -> None:
        self.console.runner.stop()

    def why_not_copy(self) -> str:
        return "" if outcome_of(self.console.flow.ending) else "there is no run id yet"

    def do_copy(self) -> None:
        if outcome := outcome_of(self.console.flow.ending):
            self.app.copy_to_clipboard(outcome.run_id)
            self.say(f"Copied {outcome.run_id}")


def _result(ending: Ending) -> Iterator[Content]:
    if ending.error is not None:
        yield present.label(ending.error.message, present.FAIL)
        if ending.error.next_step:
            yield present.label(f"→ {ending.error.next_step}", present.ACCENT)
        for finding in ending.error.findings:
            yield present.joined(present.severity(finding.severity), finding.message)
    if ending.waited and ending.view.state in ("failed", "stopped"):
        yield present.label(f"It was {ending.waited}", present.WARN)
    outcome = outcome_of(ending)
    if outcome is not None:
        yield from _outcome(outcome)
    if ending.check is not None:
        yield present.joined(
            present.answer(ending.check.answer),
            present.label(ending.check.name, "bold"),
            ending.check.summary,
        )
        for finding in ending.check.findings:
            yield present.joined(present.severity(finding.severity), finding.message)
    yield from _next(ending)


def _next(ending: Ending) -> Iterator[Content]:
    """What an operator does now."""
    match ending.view.state:
        case "done" if ending.job.verb == "verify":
            said = "esc goes back to the checklist; u undoes this run from there"
        case "done" if ending.job.key is None:
            said = "esc goes back to the checklist"
        case "in_doubt":
            said = "esc goes back to the checklist; x asks the server what became of it"
        case "stopped":
            said = "esc goes back to the checklist; plan again when you are ready"
        case _:
            return
    yield present.label(f"→ {said}", present.ACCENT)


def outcome_of(ending: Ending | None) -> Outcome | None:
    """What was applied: by the task that ended, or before it by the task that it verifies."""
    if ending is None:
        return None
    task = ending.job.key
    return ending.outcome or (task.outcome if isinstance(task, Task) else None)


def _outcome(outcome: Outcome) -> Iterator[Content]:
    yield present.joined(
        present.label("✓ committed", present.GOOD), outcome.committed_at, f"run {outcome.run_id}"
    )
    yield counts(outcome.counts)
    money = [present.joined(present.delta(d), c) for c, d in outcome.money.items()]
    yield present.joined(present.label("Money", present.QUIET), *money)
    yield present.label(f"transaction {outcome.transaction_id}", present.QUIET)
