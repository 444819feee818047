"""A small form: what an operation has to be told, or the evidence of a step done by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from console.errors import ConsoleError
from console.runbooks import Step
from screens import present
from screens.ports import Field, Incident

MIN_EVIDENCE = 3
NO_EVIDENCE = "Say what shows that it was done; evidence is part of the record."
READING = ("verify", "audit_trail", "duplicates")

Check = Callable[[Mapping[str, str]], str]
"""Says in one sentence what is wrong with the values, or nothing."""


class FormScreen(ModalScreen[Mapping[str, str] | None]):
    """Asks for some values and answers with them, or None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel", show=False)]

    def __init__(
        self, title: str, fields: Sequence[Field], verb: str, check: Check, intro: str = ""
    ) -> None:
        super().__init__()
        self._title = title
        self._fields = fields
        self._verb = verb
        self._check = check
        self._intro = intro

    @classmethod
    def of_operation(cls, step: Step, fields: Sequence[Field], incident: Incident) -> FormScreen:
        """What a step's operation has to be told; wrong values are said by its command."""

        def wrong(values: Mapping[str, str]) -> str:
            try:
                incident.command(step, values)
            except ConsoleError as error:
                return f"{error.message} {error.next_step}".strip()
            return ""

        verb = "Check" if step.operation in READING else "Plan"
        return cls(f"{step.section} {step.title}", fields, verb, wrong, step.does)

    @classmethod
    def of_evidence(cls, step: Step) -> FormScreen:
        """The evidence of a step done by hand; without it the step is not done."""

        def wrong(values: Mapping[str, str]) -> str:
            return NO_EVIDENCE if len(values["evidence"]) < MIN_EVIDENCE else ""

        intro = f"Expected: {step.expected}\nStop if:  {step.stop_if}"
        fields = [Field("evidence", "Evidence", hint=step.evidence)]
        return cls(f"Attest {step.section} {step.title}", fields, "Attest", wrong, intro)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(present.label(self._title, "bold"), classes="title")
            with VerticalScroll(can_focus=False):
                if self._intro:
                    yield Static(present.lines(self._intro), classes="note")
                for field in self._fields:
                    yield Static(self._caption(field), classes="caption", markup=False)
                    yield Input(value=field.value, id=f"field-{field.name}")
            yield Static(id="wrong")
            with Horizontal(classes="buttons"):
                yield Button(present.label(f"[ {self._verb} ]"), variant="primary", id="ok")
                yield Button(present.label("[ Cancel ]"), id="cancel")

    def _caption(self, field: Field) -> Content:
        hint = present.label(field.hint, present.QUIET)
        return present.joined(present.label(field.label, "bold"), hint, between="  ")

    def on_mount(self) -> None:
        fields = list(self.query(Input))
        # What is not known yet is what has to be said.
        next((field for field in fields if not field.value), fields[0]).focus()

    @property
    def _values(self) -> dict[str, str]:
        return {
            field.name: self.query_one(f"#field-{field.name}", Input).value.strip()
            for field in self._fields
        }

    @on(Button.Pressed, "#ok")
    @on(Input.Submitted)
    def _done(self) -> None:
        if wrong := self._check(self._values):
            self.query_one("#wrong", Static).update(present.label(f"✗ {wrong}", present.FAIL))
        else:
            self.dismiss(self._values)

    @on(Button.Pressed, "#cancel")
    def action_leave(self) -> None:
        self.dismiss(None)
