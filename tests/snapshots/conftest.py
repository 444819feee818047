"""Snapshots are taken with one version of Textual only, and of a world that stands still."""

from collections.abc import Iterator

import pytest
import textual
from textual.widgets import Input

from tests.pilot.stage import MemoryStage

TEXTUAL = "8.2.8"


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Refuse to renew pictures with another Textual than the pinned one."""
    if config.getoption("--snapshot-update", default=False) and textual.__version__ != TEXTUAL:
        raise pytest.UsageError(f"Snapshots are made with Textual {TEXTUAL} only.")


@pytest.fixture(autouse=True)
def _no_blinking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Input, "cursor_blink", False)


@pytest.fixture
def stage() -> Iterator[MemoryStage]:
    made = MemoryStage(notes=("The schema ops_console is created first, once.",))
    yield made
    if made.gate is not None:
        made.gate.open.set()
