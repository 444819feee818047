"""The last question before something is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from screens import present
from screens.widgets.facts import Fact

DWELL_SECONDS = 0.6
BURST_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Question:
    """What the dialog says; `token` is typed by hand, empty when a key is enough."""

    title: str
    lines: tuple[tuple[str, str], ...]
    verb: str
    kind: str
    token: str = ""


class SteadyButton(Button, inherit_bindings=False):
    """A button that Enter does not press: a repeated Enter must never confirm."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "press", "Press", show=False)]


class TokenInput(Input):
    """Takes a token typed key by key; what is pasted or arrives in a burst does not count."""

    def __init__(self, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, id="token", select_on_focus=False)
        self.armed = False
        self._last = float("-inf")

    async def _on_key(self, event: events.Key) -> None:
        burst = event.time - self._last < BURST_SECONDS
        self._last = event.time
        if not event.is_printable:
            return
        if burst:
            self.refuse("That came faster than anyone types.")
        if burst or not self.armed:
            event.stop()
            event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.refuse("Pasting does not count.")

    def refuse(self, why: str) -> None:
        """Empty the field and say why."""
        self.value = ""
        self.notify(f"{why} Type the token.", severity="warning", markup=False)

    def action_paste(self) -> None:
        self.refuse("Pasting does not count.")


class ConfirmScreen(ModalScreen[bool]):
    """Says rows, money, target and what undoes it; answers True only to a deliberate act.

    Cancel has the focus and Enter means Cancel. Keys that were pressed before the dialog could be
    read do not count. With a token, it has to be typed exactly.
    """

    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - Textual's own
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "no", "Cancel", show=False),
        Binding("y", "yes", "Confirm", show=False),
    ]

    def __init__(self, question: Question, dwell: float = DWELL_SECONDS) -> None:
        super().__init__()
        self._question = question
        self._dwell = dwell
        self.armed = False

    def compose(self) -> ComposeResult:
        question = self._question
        with Vertical(id="dialog", classes=f"-{question.kind}"):
            yield Static(present.label(question.title, "bold"), classes="title")
            with VerticalScroll(id="facts", can_focus=False):
                for word, said in question.lines:
                    yield Fact(word, present.label(said))
            if question.token:
                yield Static(
                    present.joined("Type", present.label(question.token, "bold"), "to confirm.")
                )
                yield TokenInput("the token of this plan")
            with Horizontal(classes="buttons"):
                yield SteadyButton(present.label(f"[ {question.verb} ]"), variant="error", id="yes")
                yield Button(present.label("[ Cancel ]"), id="no")
            yield Static(present.label(self._hint, present.QUIET), classes="foot")

    @property
    def _hint(self) -> str:
        if self._question.token:
            return "Tab to the button and press Space. Enter and esc cancel."
        written = "" if self._question.kind == "quit" else " Nothing has been written yet."
        return f"y confirms, Enter and esc cancel.{written}"

    def on_mount(self) -> None:
        self.query_one("#yes", Button).disabled = True
        self.query_one("#no", Button).focus()
        if self._dwell:
            self.set_timer(self._dwell, self._arm)
        else:
            self._arm()

    def _arm(self) -> None:
        self.armed = True
        for field in self.query(TokenInput):
            field.armed = True
        self._offer()

    def _offer(self) -> None:
        self.query_one("#yes", Button).disabled = not self.ready

    @property
    def ready(self) -> bool:
        """Whether a confirmation would count now."""
        typed = [field.value for field in self.query(TokenInput)]
        return self.armed and all(text == self._question.token for text in typed)

    @on(Input.Changed, "#token")
    def _typed(self) -> None:
        self._offer()

    @on(Input.Submitted, "#token")
    def _submitted(self) -> None:
        self.notify("Enter does not confirm. Tab to the button and press Space.", markup=False)

    @on(Button.Pressed, "#no")
    def action_no(self) -> None:
        """Nothing is written; an Enter that came too early does not even cancel."""
        if self.armed:
            self.dismiss(False)

    @on(Button.Pressed, "#yes")
    def _pressed(self) -> None:
        if self.ready:
            self.dismiss(True)

    def action_yes(self) -> None:
        if self.armed and not self._question.token:
            self.dismiss(True)
