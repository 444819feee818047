"""The screens on a real pseudo-terminal: first paint, keys under load, memory, paging."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from console.runbooks import runbook
from console.sandbox.postgres import Cluster
from tests.benchmarks.bench import LINES_PER_INVOICE, portfolio, settle_down, write_file
from tests.benchmarks.terminal import Terminal

ROOT = Path(__file__).parents[2]
PAINT_ROUNDS = 7
PAINT_LIMIT, KEY_LIMIT, PAGE_LIMIT = 0.5, 0.050, 0.030
MEMORY_LIMIT = 150
PAUSE = 0.075
KEY_ROWS = 100_000
PAGES = 100
CONFIG = """default_environment = "bench"
[environments.bench]
kind = "sandbox"
database_url = "{url}"
artifacts = "{artifacts}"
"""
HOME = "Sessions to go on with"
# What only the panel says about a step: it comes when the cursor has moved there.
ABOUT = {step.section: step.why[:12] for step in runbook("billing").steps}


@dataclass(slots=True)
class Series:
    """Measured seconds, and their middle, 95th percentile and worst."""

    values: list[float] = field(default_factory=list)

    def part(self, share: float) -> float:
        ordered = sorted(self.values)
        return ordered[min(round(share * len(ordered)), len(ordered) - 1)]

    def show(self, name: str, limit: float | None = None) -> None:
        """One line; the limit is held against the 95th percentile."""
        if not self.values:
            print(f"  {name:26} no sample: it was over before")
            return
        middle, most, worst = self.part(0.5), self.part(0.95), max(self.values)
        print(
            f"  {name:26} p50 {middle * 1000:6.1f} ms   p95 {most * 1000:6.1f} ms   "
            f"max {worst * 1000:6.1f} ms   n {len(self.values):3}{_verdict(most, limit, 1000)}"
        )


def _verdict(value: float, limit: float | None, scale: float = 1) -> str:
    if limit is None:
        return ""
    return f"   limit {limit * scale:g}   {'ok' if value <= limit else 'MISSED'}"


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


class Console:
    """The console on a terminal, with a session folder and a configuration of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        artifacts = folder / "reconciliations"
        self.csv = artifacts / "run" / "missing_lines.csv"
        self.csv.parent.mkdir(parents=True)
        self._config = folder / "ops-console.toml"
        self._config.write_text(CONFIG.format(url=url, artifacts=artifacts), encoding="utf-8")
        self._folder, self._opened = folder, 0

    @property
    def _sessions(self) -> Path:
        return self._folder / f"sessions-{self._opened}"

    @contextmanager
    def open(self) -> Iterator[Terminal]:
        """A new process with no session to go on with; it may write its bytecode."""
        self._opened += 1
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        command = [sys.executable, "-m", "screens", "--config", str(self._config)]
        command += ["--session-dir", str(self._sessions), "run"]
        with Terminal(command, {**environment, "PYTHONPATH": str(ROOT)}) as terminal:
            yield terminal

    def ended(self) -> int:
        """How many verbs have ended, by the session logs."""
        logs = self._sessions.glob("*.jsonl")
        return sum(log.read_bytes().count(b'"kind":"outcome"') for log in logs)


# Longer than any answer seen; a key that the end of the operation overtakes gets none.
ANSWER_WITHIN = 5


def first_paint(console: Console) -> None:
    """From the start of the process to the first text of the home screen."""
    series = Series()
    for number in range(PAINT_ROUNDS + 1):
        with console.open() as terminal:
            seconds = terminal.wait(HOME) - terminal.began
            if number:  # the first one compiled
                series.values.append(seconds)
    middle = statistics.median(series.values)
    spread = f"{min(series.values):.3f} to {max(series.values):.3f}"
    print(f"  first paint {middle:6.3f} s   {spread}{_verdict(middle, PAINT_LIMIT)}")
    _imports()


def _imports() -> None:
    """What the imports before the first paint cost, by themselves."""
    code = "import screens.__main__, screens.start, screens.app, screens.wiring"
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()[1:]]
    costs: dict[str, float] = {}
    for alone, _, name in rows:
        top = name.strip().partition(".")[0]
        costs[top] = costs.get(top, 0) + int(alone) / 1000
    dear = sorted(costs.items(), key=lambda item: -item[1])[:8]
    print(f"  imports     {', '.join(f'{name} {cost:.0f} ms' for name, cost in dear)}")


class Keys:
    """Keys pressed on the checklist at step 3, each until the screen has answered."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.moves, self.modes, self.dialogs = Series(), Series(), Series()
        step, other = ABOUT["3"], ABOUT["2.2"]
        move = [(self.moves, "up", other), (self.moves, "down", step)]
        self._round = [
            *move * 3,
            (self.modes, "h", HOME),
            (self.modes, "enter", step),
            *move * 3,
            (self.dialogs, "?", "Keys of this screen"),
            (self.dialogs, "?", step),
        ]

    def press(self, terminal: Terminal, going_on: Callable[[], bool]) -> None:
        """Round after round as long as asked; a round that is begun is ended."""
        while going_on():
            for series, key, pattern in self._round:
                if going_on():
                    series.values.append(terminal.answer(key, pattern))
                else:
                    terminal.answer(key, pattern)
                terminal.idle(PAUSE)

    def press_to_the_end(self, terminal: Terminal, going_on: Callable[[], bool]) -> None:
        """The same until the operation ends, which leads the checklist on to another step."""
        for series, key, pattern in cycle(self._round):
            at = terminal.press(key)
            try:
                series.values.append(terminal.wait(pattern, ANSWER_WITHIN) - at)
            except SystemExit:
                if going_on():
                    raise
            if not going_on():
                return
            terminal.idle(PAUSE)

    def show(self) -> None:
        self.moves.show(f"cursor, {self._name}", KEY_LIMIT)
        self.modes.show(f"another mode, {self._name}", KEY_LIMIT)
        self.dialogs.show(f"dialog, {self._name}")


class Billing:
    """The way of an operator through an upsert."""

    def __init__(self, console: Console, terminal: Terminal, database: str) -> None:
        self._console, self._terminal = console, terminal
        terminal.wait(f"/{database}")
        terminal.answer("enter", ABOUT["1.1"])
        sections = list(ABOUT)
        for passed in sections[1 : sections.index("3") + 1]:
            terminal.answer("down", ABOUT[passed])

    def running(self, verbs: int) -> Callable[[], bool]:
        """Whether one of the next verbs still runs."""
        ended = self._console.ended() + verbs
        return lambda: self._console.ended() < ended

    def start_plan(self) -> Callable[[], bool]:
        """Plan the file, and go back to the checklist meanwhile."""
        self._terminal.answer("enter", "Batch size")
        return self._start("enter", 1)

    def open_plan(self) -> None:
        self._terminal.answer("p", "Token")

    def start_apply(self) -> Callable[[], bool]:
        """Apply the plan that is open, and go back to the checklist meanwhile."""
        self._terminal.answer("a", "y confirms")
        self._terminal.idle(1)
        return self._start("y", 2)  # the verification follows by itself

    def _start(self, key: str, verbs: int) -> Callable[[], bool]:
        running = self.running(verbs)
        self._terminal.answer(key, "Elapsed")
        self._terminal.answer("escape", ABOUT["3"])
        self._terminal.idle(PAUSE)
        return running

    def wait(self, running: Callable[[], bool]) -> None:
        while running():
            self._terminal.idle(0.2)


def keys(console: Console, url: str, database: str, rounds: int) -> None:
    """Keys while nothing runs, while the file is planned, and while the plan is applied."""
    write_file(url, console.csv, KEY_ROWS)
    idle, planning, applying = Keys("idle"), Keys("while planning"), Keys("while applying")
    for _ in range(rounds):
        settle_down(url, clear=True)
        with console.open() as terminal:
            way = Billing(console, terminal, database)
            until = time.perf_counter() + 5
            idle.press(terminal, lambda until=until: time.perf_counter() < until)  # type: ignore[misc]
            planning.press(terminal, way.start_plan())
            way.open_plan()
            applying.press_to_the_end(terminal, way.start_apply())
    for pressed in (idle, planning, applying):
        pressed.show()


def memory(console: Console, url: str, database: str, rows: int) -> float:
    """Page through a plan of this size and apply it; returns the most memory held, in MB."""
    write_file(url, console.csv, rows)
    with console.open() as terminal:
        way = Billing(console, terminal, database)
        started = terminal.memory()
        way.wait(way.start_plan())
        way.open_plan()
        planned = terminal.memory()
        page(terminal, rows)
        paged = terminal.memory()
        way.wait(way.start_apply())
        most = terminal.memory()
        print(
            f"  memory {rows:,} rows: {started:.1f} MB at the start, {planned:.1f} planned, "
            f"{paged:.1f} paged, {most:.1f} applied{_verdict(most, MEMORY_LIMIT)}"
        )
    return most


def page(terminal: Terminal, rows: int) -> None:
    """Page keys at the plan's beginning, then jumps to its ends and pages from there."""
    terminal.wait(_row(1))
    terminal.answer("pagedown", "Rows")
    terminal.idle(0.5)
    found = re.findall(rf"([0-9,]+) of {rows:,}", terminal.painted)
    height = int(found[-1].replace(",", "")) - 1
    pages, jumps = Series(), Series()
    for number in range(2, 2 + PAGES):
        pages.values.append(terminal.answer("pagedown", _row(1 + number * height)))
        terminal.idle(PAUSE / 2)
    jumps.values.append(terminal.answer("end", _row(rows)))
    for number in range(1, 1 + PAGES):
        pages.values.append(terminal.answer("pageup", _row(rows - number * height)))
        terminal.idle(PAUSE / 2)
    jumps.values.append(terminal.answer("home", _row(1)))
    pages.show(f"page key, {rows:,} rows", PAGE_LIMIT)
    jumps.show(f"jump, {rows:,} rows")


def _row(number: int) -> str:
    """How the table paints this row."""
    return rf"(?<![0-9,]){number:,} +\+ insert"


def screens(cluster: Cluster, folder: Path, rounds: int, sizes: tuple[int, ...]) -> None:
    """All figures of the screens; memory at growing sizes."""
    print(f"Screens on a pseudo-terminal, {_load()}")
    url = portfolio(cluster, "screens", KEY_ROWS // LINES_PER_INVOICE + 1)
    console = Console(folder / "screens", url)
    first_paint(console)
    keys(console, url, "screens", rounds)
    most: list[float] = []
    for rows in sizes:
        name = f"screens_{rows}"
        url = portfolio(cluster, name, rows // LINES_PER_INVOICE + 1)
        settle_down(url, clear=True)
        most.append(memory(Console(folder / name, url), url, name, rows))
    print(f"  memory, largest against smallest {most[-1] / most[0]:.2f}; afterwards {_load()}")
