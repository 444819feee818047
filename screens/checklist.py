"""A runbook as a checklist: you are here, why, expected result, stop-if, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from console.errors import ConsoleError
from console.runbooks import Runbook, Step
from screens import present, stepview
from screens.actions import bindings
from screens.base import ConsoleScreen
from screens.findings import FindingsScreen
from screens.form import FormScreen
from screens.help import TextScreen
from screens.ports import Field, Incident, Mark
from screens.progress import ProgressScreen
from screens.results import plan_screen
from screens.session import SessionScreen
from screens.widgets.facts import Fact


class ChecklistScreen(ConsoleScreen):
    """One runbook, step by step; where it stands is what the session log says."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(
            "start",
            "attest",
            "command",
            "show_findings",
            "show_plan",
            "show_progress",
            "undo",
            "settle",
            "session",
            "contacts",
            "home",
            "help",
            "back",
            "quit",
        )
    ]

    def __init__(self, book: Runbook) -> None:
        super().__init__()
        self.TITLE_WORD = book.title  # type: ignore[misc]
        self.book = book
        self._marks: Mapping[str, Mark] = {}

    @property
    def incident(self) -> Incident | None:
        """The session of this runbook, when one has begun."""
        return self.console.flow.incident(self.book)

    @property
    def step(self) -> Step:
        """The step under the cursor."""
        index = self.query_one("#steps", OptionList).highlighted or 0
        return self.book.steps[index]

    @property
    def here(self) -> int:
        """Where the operator is, as a position in the list."""
        return stepview.here(self.book.steps, self._marks)

    def body(self) -> Iterator[Any]:
        with Horizontal(id="columns"):
            lines = (Option(self._line(n)) for n, _ in enumerate(self.book.steps))
            yield OptionList(*lines, id="steps", markup=False)
            with VerticalScroll(id="panel"):
                yield Static(id="standing")
                for name, word in stepview.FACTS.items():
                    yield Fact(word, id=name)

    def ready(self) -> None:
        steps = self.query_one("#steps", OptionList)
        steps.border_title = self.book.title
        steps.highlighted = 0
        steps.focus()
        self.refresh_marks(go=True)

    def on_screen_resume(self) -> None:
        self.refresh_marks(go=False)

    def refresh_marks(self, go: bool) -> None:
        """Read the session log's state again, and go to where the operator is."""
        if not self.is_mounted:
            return
        incident = self.incident
        before = self.here
        self._marks = incident.marks() if incident else {}
        steps = self.query_one("#steps", OptionList)
        for index in range(len(self.book.steps)):
            steps.replace_option_prompt_at_index(index, self._line(index))
        steps.border_subtitle = stepview.tally(self.book.steps, self._marks)
        if go or (steps.highlighted == before and before != self.here):
            steps.highlighted = self.here
        self._show_step()

    def _mark(self, step: Step) -> Mark:
        return self._marks.get(step.id, Mark())

    def _line(self, index: int) -> Content:
        step = self.book.steps[index]
        return stepview.line(step, self._mark(step), index == self.here)

    @on(OptionList.OptionHighlighted, "#steps")
    def _moved(self) -> None:
        self._show_step()

    @on(OptionList.OptionSelected, "#steps")
    def _selected(self) -> None:
        self.action_act("start")

    def _show_step(self) -> None:
        step = self.step
        panel = self.query_one("#panel")
        panel.border_title = f"{step.section} {present.label(step.title).plain}"
        panel.border_subtitle = step.phase
        panel.scroll_to(0, 0, animate=False)
        mark, here = self._mark(step), step is self.book.steps[self.here]
        self.query_one("#standing", Static).update(stepview.standing(step, mark, here))
        for name, said in stepview.facts(step, mark).items():
            self.query_one(f"#{name}", Fact).show(said)
        self.refresh_actions()

    def why_not_start(self) -> str:
        if self.step.kind == "attested":
            return self.why_not_attest()
        if self.console.target is None:
            return self.console.trouble or "no server is connected yet"
        return self._why_not_work(self.step)

    def _why_not_work(self, step: Step) -> str:
        app = self.console
        disabled = stepview.why_disabled(step, app.place, app.preflight)
        return self._why_not_doubt() or self.why_not_start_work() or disabled

    def _why_not_doubt(self) -> str:
        doubt = any(mark.standing == "in_doubt" for mark in self._marks.values())
        return "a run is in doubt; x settles it first" if doubt else ""

    def do_start(self) -> None:
        if self.step.kind == "attested":
            self.do_attest()
            return
        try:
            incident = self.console.flow.require(self.book)
            fields = incident.fields(self.step)
        except ConsoleError as error:
            self.say(f"{error.message} {error.next_step}", "error")
            return
        if fields:
            self._ask(incident, self.step, list(fields))
        else:
            self._start(incident, self.step, {})

    def _ask(self, incident: Incident, step: Step, fields: list[Field]) -> None:
        def answered(values: Mapping[str, str] | None) -> None:
            if values is not None:
                self._start(incident, step, values)

        self.app.push_screen(FormScreen.of_operation(step, fields, incident), answered)

    def _start(self, incident: Incident, step: Step, values: Mapping[str, str]) -> None:
        self.console.flow.start(incident, step, incident.command(step, values))

    def why_not_attest(self) -> str:
        return "no environment is chosen" if self.console.place is None else ""

    def do_attest(self) -> None:
        step = self.step

        def answered(values: Mapping[str, str] | None) -> None:
            if values is not None:
                self._attest(step, values["evidence"])

        self.app.push_screen(FormScreen.of_evidence(step), answered)

    def _attest(self, step: Step, evidence: str) -> None:
        try:
            self.console.flow.require(self.book).attest(step, evidence)
        except ConsoleError as error:
            self.say(f"Not recorded: {error.message}", "error")
        self.refresh_marks(go=False)

    def do_command(self) -> None:
        title = f"{self.step.section} {self.step.title}: as in {self.book.document}"
        self.app.push_screen(TextScreen(title, self.step.command_text))

    def do_contacts(self) -> None:
        reference = stepview.reference(self.book)
        self.app.push_screen(TextScreen(f"{self.book.title}: contacts and rules", reference))

    def why_not_show_findings(self) -> str:
        return "" if self.book.id in self.console.flow.checked else "no check has run yet"

    def do_show_findings(self) -> None:
        task = self.console.flow.checked[self.book.id]
        if task.check is not None:
            self.app.push_screen(FindingsScreen.of_check(task.check, task.step.title))

    def why_not_show_plan(self) -> str:
        return "" if self.book.id in self.console.flow.planned else "no plan stands"

    def do_show_plan(self) -> None:
        self.app.push_screen(plan_screen(self.console.flow.planned[self.book.id]))

    def why_not_show_progress(self) -> str:
        return "" if self.console.last_view else "nothing has run yet"

    def do_show_progress(self) -> None:
        self.app.push_screen(ProgressScreen())

    def why_not_undo(self) -> str:
        step = stepview.undoing(self.book)
        if step is None or self.incident is None or not self.incident.last_applied:
            return "no run was applied in this session"
        return self._why_not_work(step)

    def do_undo(self) -> None:
        step, incident = stepview.undoing(self.book), self.incident
        if step is not None and incident is not None:
            self._ask(incident, step, list(incident.fields(step)))

    def why_not_settle(self) -> str:
        return self.why_not_start_work() if self._why_not_doubt() else "nothing is in doubt"

    def do_settle(self) -> None:
        if self.incident is not None:
            self.console.flow.settle(self.incident)

    def why_not_session(self) -> str:
        return "" if self.incident else "no session has begun; the first step begins it"

    def do_session(self) -> None:
        if self.incident is not None:
            self.app.push_screen(SessionScreen(self.incident))

    def do_back(self) -> None:
        self.app.switch_mode("home")
