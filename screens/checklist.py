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
from console.runbooks import Contact, Runbook, Step
from screens import present
from screens.actions import bindings
from screens.base import ConsoleScreen
from screens.findings import FindingsScreen
from screens.form import FormScreen
from screens.help import TextScreen
from screens.ports import Field, Incident, Mark, Standing
from screens.progress import ProgressScreen
from screens.results import plan_screen
from screens.session import SessionScreen
from screens.widgets.facts import Fact
from screens.words import paragraph

SIGNS: Mapping[Standing, tuple[str, str, str]] = {
    "open": ("·", "open", present.QUIET),
    "running": ("…", "running", present.ACCENT),
    "planned": ("◇", "planned, not applied", present.ACCENT),
    "done": ("✓", "done", present.GOOD),
    "failed": ("✗", "failed", present.FAIL),
    "stopped": ("!", "stopped, nothing was kept", present.WARN),
    "in_doubt": ("?", "in doubt: settle it first", present.WARN),
}
FACTS = {
    "evidence": "Evidence",
    "only_if": "Only if",
    "why": "Why",
    "does": "Does",
    "expected": "Expected",
    "stop_if": "Stop if",
    "tell": "Tell",
}
MIN_EVIDENCE = 3
NO_EVIDENCE = "Say what shows that it was done; evidence is part of the record."


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
        """Where the operator is: the first step of the straight path that is not done."""
        for index, step in enumerate(self.book.steps):
            mark = self._marks.get(step.id, Mark())
            if mark.standing != "done" and (not step.only_if or mark.standing != "open"):
                return index
        return len(self.book.steps) - 1

    def body(self) -> Iterator[Any]:
        with Horizontal(id="columns"):
            lines = (Option(self._line(n)) for n, _ in enumerate(self.book.steps))
            yield OptionList(*lines, id="steps", markup=False)
            with VerticalScroll(id="panel"):
                yield Static(id="standing")
                for name, word in FACTS.items():
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
        done = sum(1 for mark in self._marks.values() if mark.standing == "done")
        steps.border_subtitle = f"{done} done"
        if go or (steps.highlighted == before and before != self.here):
            steps.highlighted = self.here
        self._show_step()

    def _line(self, index: int) -> Content:
        step = self.book.steps[index]
        sign, _, style = SIGNS[self._marks.get(step.id, Mark()).standing]
        pointer = present.label("▶" if index == self.here else " ", present.ACCENT)
        title = present.label(step.title, present.QUIET if step.only_if else "")
        section = present.label(f"{step.section:<3}", present.QUIET)
        return present.joined(pointer, present.label(sign, style), section, title)

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
        self.query_one("#standing", Static).update(self._standing(step))
        for name, said in self._facts(step).items():
            self.query_one(f"#{name}", Fact).show(said)
        self.refresh_actions()

    def _standing(self, step: Step) -> Content:
        mark = self._marks.get(step.id, Mark())
        sign, word, style = SIGNS[mark.standing]
        how = "automatic: ⏎ runs it" if step.kind == "automatic" else "by hand: ⏎ attests it"
        here = "▶ you are here" if step is self.book.steps[self.here] else ""
        lines = [present.joined(present.label(f"{sign} {word}", style), mark.at or "")]
        if mark.summary:
            lines.append(present.label(mark.summary))
        how_and_here = (present.label(how, present.QUIET), present.label(here, present.ACCENT))
        return paragraph(*lines, present.joined(*how_and_here, between="   "))

    def _facts(self, step: Step) -> dict[str, Content | None]:
        evidence = self._marks.get(step.id, Mark()).evidence
        contacts = paragraph(*(present.label(_contact_line(c)) for c in step.contacts))
        return {
            "evidence": present.label(evidence) if evidence else None,
            "only_if": present.label(step.only_if, present.WARN) if step.only_if else None,
            "why": present.label(step.why),
            "does": present.label(step.does),
            "expected": present.label(step.expected, present.GOOD),
            "stop_if": present.label(step.stop_if, present.FAIL),
            "tell": contacts if step.contacts else None,
        }

    def why_not_start(self) -> str:
        if self.step.kind == "attested":
            return self.why_not_attest()
        if self.console.target is None:
            return self.console.trouble or "no server is connected yet"
        return self._why_not_doubt() or self.why_not_start_work()

    def _why_not_doubt(self) -> str:
        doubt = any(mark.standing == "in_doubt" for mark in self._marks.values())
        return "a run is in doubt; settle it first" if doubt else ""

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
        def wrong(values: Mapping[str, str]) -> str:
            try:
                incident.command(step, values)
            except ConsoleError as error:
                return f"{error.message} {error.next_step}".strip()
            return ""

        def answered(values: Mapping[str, str] | None) -> None:
            if values is not None:
                self._start(incident, step, values)

        form = FormScreen(f"{step.section} {step.title}", fields, "Plan", wrong, step.does)
        self.app.push_screen(form, answered)

    def _start(self, incident: Incident, step: Step, values: Mapping[str, str]) -> None:
        self.console.flow.start(incident, step, incident.command(step, values))

    def why_not_attest(self) -> str:
        return "no environment is chosen" if self.console.place is None else ""

    def do_attest(self) -> None:
        step = self.step

        def wrong(values: Mapping[str, str]) -> str:
            short = len(values["evidence"]) < MIN_EVIDENCE
            return (
                "Say what shows that it was done; evidence is part of the record." if short else ""
            )

        def answered(values: Mapping[str, str] | None) -> None:
            if values is not None:
                self._attest(step, values["evidence"])

        fields = [Field("evidence", "Evidence", hint=step.evidence)]
        intro = f"Expected: {step.expected}\nStop if:  {step.stop_if}"
        title = f"Attest {step.section} {step.title}"
        self.app.push_screen(FormScreen(title, fields, "Attest", wrong, intro), answered)

    def _attest(self, step: Step, evidence: str) -> None:
        try:
            self.console.flow.require(self.book).attest(step, evidence)
        except ConsoleError as error:
            self.say(f"Not recorded: {error.message}", "error")
        self.refresh_marks(go=False)

    def do_command(self) -> None:
        step = self.step
        title = f"{step.section} {step.title}: as in {self.book.document}"
        self.app.push_screen(TextScreen(title, step.command_text))

    def do_contacts(self) -> None:
        lines = [_contact_line(contact) for contact in self.book.contacts]
        levels = [f"{e.level}: {e.criterion} → {e.action}" for e in self.book.escalation]
        text = "\n".join(("Contacts", *lines, "", *levels, "", "Rules", *self.book.rules))
        self.app.push_screen(TextScreen(f"{self.book.title}: contacts and rules", text))

    def why_not_show_findings(self) -> str:
        return "" if self.book.id in self.console.flow.checked else "no check has run yet"

    def do_show_findings(self) -> None:
        task = self.console.flow.checked[self.book.id]
        if task.check is not None:
            self.app.push_screen(FindingsScreen.of_check(task.check))

    def why_not_show_plan(self) -> str:
        return "" if self.book.id in self.console.flow.planned else "no plan stands"

    def do_show_plan(self) -> None:
        self.app.push_screen(plan_screen(self.console.flow.planned[self.book.id]))

    def why_not_show_progress(self) -> str:
        return "" if self.console.last_view else "nothing has run yet"

    def do_show_progress(self) -> None:
        self.app.push_screen(ProgressScreen())

    def why_not_undo(self) -> str:
        task = self.console.flow.applied.get(self.book.id)
        if task is None or task.outcome is None:
            return "nothing was applied in this sitting; use the rollback step"
        return self._why_not_doubt() or self.why_not_start_work()

    def do_undo(self) -> None:
        self.console.flow.undo(self.console.flow.applied[self.book.id])

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


def _contact(contact: Contact) -> str:
    return f"{contact.who}: {contact.template}" if contact.template else contact.who


def _contact_line(contact: Contact) -> str:
    return f"{contact.channel}: {_contact(contact)}"
