"""What every screen has: banner, action bar, and one way from a key to what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from console.operation import Target
from screens import present
from screens.actions import ACTIONS, Action, bindings
from screens.palette import ActionProvider
from screens.ports import Place
from screens.widgets.action_bar import ActionBar, ActionKey
from screens.widgets.banner import Banner

if TYPE_CHECKING:
    from screens.app import OpsConsole


class ConsoleScreen(Screen[None]):
    """A screen whose keys all come from the table of actions.

    A subclass names its actions in BINDINGS, does one in `do_<id>`, and says in `why_not_<id>` why
    it cannot; an empty answer means that it can.
    """

    TITLE_WORD: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("back", "help", "quit")]
    NOT_IN_BAR: ClassVar[frozenset[str]] = frozenset({"quit"})
    COMMANDS: ClassVar[set[Any]] = {ActionProvider}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual's own

    @property
    def console(self) -> OpsConsole:
        """The app, by its own type."""
        return cast("OpsConsole", self.app)

    @property
    def actions(self) -> Sequence[Action]:
        """What can be done here, in the order of the action bar."""
        named = [b.id or "" for b in type(self).BINDINGS if isinstance(b, Binding)]
        return [ACTIONS[name] for name in named if name in ACTIONS]

    def compose(self) -> ComposeResult:
        yield Banner(self.TITLE_WORD, self.console.stage.operator)
        yield from self.body()
        yield ActionBar([action for action in self.actions if action.id not in self.NOT_IN_BAR])

    def body(self) -> Iterator[Any]:
        """The widgets between banner and action bar."""
        yield from ()

    def on_mount(self) -> None:
        self.watch(self.app, "place", self._show_place)
        self.watch(self.app, "target", self._show_target)
        self.watch(self.app, "running", self.refresh_actions)
        self.ready()
        self.call_after_refresh(self.refresh_actions)

    def ready(self) -> None:
        """Called once when the widgets are there."""

    def _show_place(self, place: Place | None) -> None:
        self.query_one(Banner).place = place
        self.refresh_actions()

    def _show_target(self, target: Target | None) -> None:
        self.query_one(Banner).target = target
        self.refresh_actions()

    def refresh_actions(self) -> None:
        """Ask again what can be done, and dim the rest."""
        if self.is_mounted:
            self.query_one(ActionBar).show(self.why_not)

    def why_not(self, action_id: str) -> str:
        """The reason against an action, empty when there is none."""
        ask: Callable[[], str] | None = getattr(self, f"why_not_{action_id}", None)
        return ask() if ask else ""

    def action_act(self, action_id: str) -> None:
        """Do an action, or say why not."""
        if reason := self.why_not(action_id):
            self.say(f"{ACTIONS[action_id].label}: {reason}", "warning")
            return
        do: Callable[[], None] = getattr(self, f"do_{action_id}")
        do()

    def on_action_key_pressed(self, message: ActionKey.Pressed) -> None:
        message.stop()
        self.action_act(message.action.id)

    def say(self, words: str, severity: Any = "information") -> None:
        """A short word in the corner; outcomes never go this way."""
        self.notify(present.label(words).plain, severity=severity, markup=False, timeout=4)

    def why_not_start_work(self) -> str:
        """Why no operation can be started now."""
        return "another operation is running" if self.console.running else ""

    def do_back(self) -> None:
        self.app.pop_screen()

    def do_help(self) -> None:
        from screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.actions, self.why_not))

    def do_home(self) -> None:
        self.app.switch_mode("home")

    def do_quit(self) -> None:
        self.console.ask_to_quit()
