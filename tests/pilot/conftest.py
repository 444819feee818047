"""The screens' tests: no blinking cursor, a stage in memory, a clock that stands still."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.widgets import Input

from screens.app import OpsConsole
from tests.pilot.stage import MemoryStage


@pytest.fixture(autouse=True)
def _no_blinking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Input, "cursor_blink", False)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MemoryStage]:
    made = MemoryStage(folder=tmp_path / "exports")
    yield made
    if made.gate is not None:
        made.gate.open.set()


MakeApp = Callable[..., OpsConsole]


@pytest.fixture
def make_app(stage: MemoryStage) -> MakeApp:
    """Make the app on the test's stage; dialogs can be answered at once unless told otherwise."""

    def make(start: str = "billing", dwell: float = 0.0) -> OpsConsole:
        return OpsConsole(stage, start, clock=lambda: 0.0, dwell=dwell)

    return make
