"""The one table of actions; it feeds keys, action bar, palette and help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Action:
    """One thing an operator can do, wherever it is offered."""

    id: str
    key: str
    label: str
    tooltip: str
    danger: bool = False
    shown: bool = True
    keys: str = ""


_TABLE: Final = (
    Action("open", "enter", "Open", "Open what is selected"),
    Action("choose_environment", "e", "Environment", "Choose the environment to work on"),
    Action("preflight", "r", "Preflight", "Read again what the server allows"),
    Action("resume", "g", "Go on", "Go on with the selected session"),
    Action("start", "enter", "Start", "Run the step, or attest it when it is done by hand"),
    Action("attest", "m", "By hand", "Attest with evidence that the step was done by hand"),
    Action("command", "c", "Command", "Show the exact SQL or command of this step"),
    Action("contacts", "k", "Contacts", "Show contacts, escalation, standing rules", shown=False),
    Action("show_findings", "f", "Findings", "Show what the last check or plan found"),
    Action("show_plan", "p", "Plan", "Show the plan that stands"),
    Action("show_progress", "w", "Watch", "Watch the operation that is running"),
    Action("session", "s", "Session", "Show the session log and whether its chain holds"),
    Action("settle", "x", "Settle", "Find out whether the run in doubt was committed"),
    Action("undo", "u", "Undo", "Plan the undo of the last run", danger=True),
    Action("apply", "a", "Apply", "Apply exactly this plan, after a confirmation", danger=True),
    Action("kinds", "t", "Kinds", "Show only one kind of row, one after the other"),
    Action("search", "slash", "Search", "Show only rows that contain a text", keys="/"),
    Action("copy", "y", "Copy", "Copy the selected id, or the plan's token"),
    Action(
        "export", "o", "Export", "Write every row that is asked for, on all pages, to a CSV file"
    ),
    Action("severity", "v", "Severity", "Show only one severity, one after the other"),
    Action("cancel", "x", "Cancel", "Stop what is running; it is rolled back", danger=True),
    Action("verify", "v", "Verify", "Check the chain of the session log"),
    Action("end", "e", "End", "Close this session for good; it is not gone on with"),
    Action("keep", "k", "Keep", "Keep the current value of this row"),
    Action("restore", "r", "Restore", "Put the old value back over the current one", danger=True),
    Action("replan", "d", "Plan again", "Plan again with these decisions"),
    Action("next_conflict", "n", "Next", "Go to the next conflict"),
    Action("back", "escape", "Back", "Leave this screen"),
    Action("help", "question_mark", "Help", "Show every key of this screen", keys="?"),
    Action("home", "h", "Home", "Go to the start screen", shown=False),
    Action("quit", "q", "Quit", "Leave the console"),
)

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType({action.id: action for action in _TABLE})

_KEYCAPS: Final = {"escape": "esc", "enter": "⏎"}


def keycap(action: Action) -> str:
    """What is printed on the action's key."""
    return action.keys or _KEYCAPS.get(action.key, action.key)


def bindings(*ids: str) -> list[Binding]:
    """The bindings of a screen, in the order in which its action bar shows them."""
    return [
        Binding(
            action.key,
            f"act('{action.id}')",
            action.label,
            show=action.shown,
            tooltip=action.tooltip,
            id=action.id,
        )
        for action in (ACTIONS[name] for name in ids)
    ]
