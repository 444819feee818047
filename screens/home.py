"""The start screen: runbooks, environment, what the server allows, sessions to go on with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from console.errors import ConsoleError
from console.operation import Check
from console.runbooks import RUNBOOKS, Runbook
from screens import present
from screens.actions import bindings
from screens.base import ConsoleScreen
from screens.choose import ChooseScreen
from screens.ports import Case, Place
from screens.progress import ProgressScreen
from screens.words import figures, paragraph

NO_ENVIRONMENT = (
    "No environment is configured. Write one into ops-console.toml, or start the console "
    "with --database-url URL. `ops-console demo` brings its own."
)


class HomeScreen(ConsoleScreen):
    """Where an operator begins."""

    TITLE_WORD = "Home"
    NOT_IN_BAR = frozenset()
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(
            "open",
            "resume",
            "choose_environment",
            "preflight",
            "show_progress",
            "help",
            "quit",
        )
    ]

    def body(self) -> Iterator[Any]:
        with Horizontal(id="columns"):
            with Vertical(id="left"):
                offered = (self._book(book) for book in RUNBOOKS)
                books = OptionList(*offered, id="runbooks", markup=False)
                books.border_title = "Runbooks"
                yield books
                cases = OptionList(id="cases")
                cases.border_title = "Sessions to go on with"
                yield cases
            preflight = VerticalScroll(Static(id="preflight"), id="state")
            preflight.border_title = "Preflight"
            yield preflight

    def _book(self, book: Runbook) -> Option:
        automatic = sum(1 for step in book.steps if step.kind == "automatic")
        how = f"{len(book.steps)} steps, {automatic} automatic. {book.summary}"
        words = paragraph(present.label(book.title, "bold"), present.label(how, present.QUIET))
        return Option(words, id=book.id)

    def ready(self) -> None:
        self._cases: list[Case] = []
        self._kinds: dict[str, str] = {}
        self._show_cases()
        # Whoever left work behind finds the cursor on it.
        self.query_one("#cases" if self._cases else "#runbooks", OptionList).focus()
        for name in ("preflight", "trouble", "running", "place"):
            self.watch(self.app, name, self._show_state)

    def on_screen_resume(self) -> None:
        self._show_cases()
        self.refresh_actions()

    def _show_cases(self) -> None:
        here = self.console.place.name if self.console.place else ""
        found = self.console.stage.cases()
        # What is in doubt comes first, then what belongs to the environment in the banner.
        order = sorted(found, key=lambda case: (not case.attention, case.environment != here))
        self._cases = order
        self._kinds = {place.name: place.kind.upper() for place in self.console.stage.places()}
        options = self.query_one("#cases", OptionList)
        options.clear_options()
        options.add_options([Option(self._case(case), id=case.id) for case in self._cases])
        if self._cases:
            options.highlighted = 0
        else:
            words = present.label("None is open. Open a runbook to begin one.", present.QUIET)
            options.add_option(Option(words, disabled=True))

    def _case(self, case: Case) -> Content:
        kind = self._kinds.get(case.environment, "")
        where = present.label(f"{kind} {case.environment}", "bold")
        head = present.joined(where, case.started_at)
        lines = [head, present.lines(case.summary)]
        if case.attention:
            lines.append(present.label(f"! {case.attention}", present.WARN))
        return paragraph(*lines)

    def _show_state(self) -> None:
        self.query_one("#preflight", Static).update(self._state())

    def _state(self) -> Content:
        app = self.console
        if app.place is None:
            return present.label(NO_ENVIRONMENT)
        notice = [present.label(f"! {app.place.notice}", present.WARN)] if app.place.notice else []
        if app.trouble:
            return paragraph(
                *notice,
                present.joined(present.answer("not_run"), "the server was not read"),
                present.label(app.trouble, present.FAIL),
                present.label("r tries again", present.QUIET),
            )
        if app.preflight is None:
            return paragraph(*notice, present.label("… reading", present.QUIET))
        return paragraph(*notice, *_check_lines(app.preflight))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        chosen = event.option.id or ""
        if event.option_list.id == "runbooks":
            self.app.switch_mode(chosen)
        else:
            self._resume(next(case for case in self._cases if case.id == chosen))

    def _resume(self, case: Case) -> None:
        if reason := self.why_not_start_work():
            self.say(f"Go on: {reason}", "warning")
            return
        try:
            self.console.flow.go_on(case)
        except ConsoleError as error:
            self.say(f"{error.message} {error.next_step}", "error")

    def why_not_resume(self) -> str:
        return self.why_not_start_work() if self._cases else "there is no open session"

    def do_resume(self) -> None:
        index = self.query_one("#cases", OptionList).highlighted
        self._resume(self._cases[index or 0])

    def do_open(self) -> None:
        focused = self.focused
        if isinstance(focused, OptionList):
            focused.action_select()

    def why_not_choose_environment(self) -> str:
        if len(self.console.stage.places()) < 2:
            return "there is only one"
        return self.why_not_start_work()

    def do_choose_environment(self) -> None:
        places = self.console.stage.places()
        rows = [
            present.joined(present.label(f"{place.kind.upper():<11}", "bold"), place.name)
            for place in places
        ]
        self.app.push_screen(ChooseScreen("Environment", rows), self._place_chosen)

    def _place_chosen(self, index: int | None) -> None:
        places: list[Place] = list(self.console.stage.places())
        if index is not None:
            self.console.choose(places[index])

    def why_not_show_progress(self) -> str:
        return "" if self.console.last_view else "nothing has run yet"

    def do_show_progress(self) -> None:
        self.app.push_screen(ProgressScreen())

    def why_not_preflight(self) -> str:
        return "no environment is chosen" if not self.console.place else self.why_not_start_work()

    def do_preflight(self) -> None:
        self.console.run_preflight()


def _check_lines(check: Check) -> Iterator[Content]:
    yield present.joined(present.answer(check.answer), check.summary)
    for finding in check.findings:
        yield present.joined(present.severity(finding.severity), finding.message)
        if finding.next_step:
            yield present.label(f"  → {finding.next_step}", present.ACCENT)
    yield present.label("")
    yield from figures(check.figures)
