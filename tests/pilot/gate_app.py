"""The program that the terminal gate runs: hostile text in every kind of widget."""

import sys
from collections.abc import Iterator
from pathlib import Path

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import (
    Button,
    Checkbox,
    DataTable,
    Input,
    Label,
    ListItem,
    ListView,
    Log,
    OptionList,
    RadioButton,
    RichLog,
    SelectionList,
    Static,
    TextArea,
    Tree,
)

from screens import present
from screens.crash import QuietCrash
from screens.filter import FilteredOutput
from tests.pilot.test_terminal_gate import PAYLOADS

TEXTS = list(PAYLOADS.values())
DSN = "postgres://bill:canary-pw-31@db.example/x"


def static() -> Iterator[Widget]:
    for number, text in enumerate(TEXTS):
        kinds = [text, Content(text), Text(text)]
        yield Static(kinds[number % 3], markup=False)
        yield Label(kinds[(number + 1) % 3], markup=False)


def presented() -> Iterator[Widget]:
    for text in TEXTS:
        yield Static(present.plain(text))


def chrome() -> Iterator[Widget]:
    for number, text in enumerate(TEXTS):
        content = Content(text)
        if number % 2:
            box = Static("x")
            box.border_title = content
            box.styles.border = ("round", "red")
            yield box
        else:
            yield [Button, Checkbox, RadioButton][number // 2 % 3](content, compact=True)


def lists() -> Iterator[Widget]:
    parts = TEXTS[:6], TEXTS[6:12], TEXTS[12:17], TEXTS[17:]
    yield OptionList(*map(Content, parts[0]))
    yield SelectionList(*((Content(text), number) for number, text in enumerate(parts[1])))
    tree: Tree[None] = Tree("root")
    tree.root.expand()
    for text in parts[2]:
        tree.root.add_leaf(Text(text))
    yield tree
    yield ListView(*(ListItem(Label(text, markup=False)) for text in parts[3]))


def table() -> Iterator[Widget]:
    for part in (TEXTS[:11], TEXTS[11:]):
        grid: DataTable[object] = DataTable()
        grid.add_columns(*(Text(text) for text in part))
        grid.add_row(*(Text(text) for text in part))
        grid.add_row(*(Content(text) for text in part))
        yield grid


class Logs(Vertical):
    def compose(self) -> ComposeResult:
        yield Log()
        yield RichLog()

    def on_mount(self) -> None:
        self.query_one(Log).write_lines(
            [text.replace("\u2028", "").replace("\x85", "") for text in TEXTS]
        )
        for text in TEXTS:
            self.query_one(RichLog).write(text)


def logs() -> Iterator[Widget]:
    yield Logs()


def inputs() -> Iterator[Widget]:
    for text in TEXTS[:11]:
        yield Input(text, compact=True)
    for text in TEXTS[11:16]:
        yield Input(placeholder=text, compact=True)
    yield TextArea("\n".join(TEXTS[16:]))


class Raw(Widget):
    """A widget that hands its own segments over: text, a link, and a control segment."""

    DEFAULT_CSS = "Raw { height: 1; }"

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def render_line(self, y: int) -> Strip:
        link = Style(link=f"http://x/{self.text}")
        control = Segment("\x1b]0;owned\x07", None, [(1,)])  # type: ignore[list-item]
        return Strip([Segment(self.text), Segment("linked", link), control])


def styled() -> Iterator[Widget]:
    yield from map(Raw, TEXTS)


FORMS = {f.__name__: f for f in (static, chrome, lists, table, logs, inputs, styled, presented)}


class Shown(App[None]):
    """Shows one form and leaves as soon as it has been drawn."""

    CSS = """
    VerticalScroll > * { height: auto; }
    TextArea, Tree, ListView { height: 12; }
    OptionList, SelectionList { height: 10; }
    Logs { height: 50; }
    Log, RichLog { height: 25; }
    """

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def compose(self) -> ComposeResult:
        yield VerticalScroll(*FORMS[self.form]())

    def on_mount(self) -> None:
        self.call_after_refresh(self.set_timer, 1, self.exit)


class Gated(FilteredOutput, QuietCrash, Shown):
    """The same app with the backstop."""


class ExplosiveError(Exception):
    """An error that renders itself, as some of Textual's own do."""

    def __rich__(self) -> Text:
        return Text(f"I render {DSN} \x1b]52;c;x\x07 myself")


class Leaving(FilteredOutput, QuietCrash, App[None]):
    """Ends in one of several ways, with hostile text and a secret at hand."""

    def __init__(self, way: str, folder: str) -> None:
        super().__init__()
        self.way = way
        self.crash_folder = Path(folder)

    def compose(self) -> ComposeResult:
        if self.way == "crash-compose":
            explode(ValueError)
        yield Static("here")

    def on_mount(self) -> None:
        self.call_after_refresh(self.leave)

    def leave(self) -> None:
        message = "\n".join([*TEXTS, DSN, "[/oops]"])
        match self.way:
            case "exit":
                self.exit(message=message)
            case "exit-text":
                self.exit(message=Text(message))
            case "panic":
                self.panic(message)
            case "crash":
                explode(ValueError)
            case "crash-rich":
                explode(ExplosiveError)
            case "crash-worker":
                self.run_worker(lambda: explode(ValueError), thread=True)


def explode(kind: type[Exception]) -> None:
    """Fail with a connection string in a local variable and in the message."""
    dsn, row = DSN, "local-" + "row-value"
    raise kind(f"cannot reach {dsn} \x1b]52;c;x\x07 ({len(row)})")


def main(way: str, argument: str) -> int:
    """Run one app and return its exit code."""
    app: App[None]
    match way:
        case "raw":
            app = Gated(argument)
        case "presented":
            app = Gated("presented")
        case "unfiltered":
            app = Shown(argument)
        case _:
            app = Leaving(way, argument)
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
