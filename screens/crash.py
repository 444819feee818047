"""What a crash and an exit leave on the terminal."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from textual.app import App

from console.crash import crash_message
from console.secrets import emit

if TYPE_CHECKING:
    _Base = App[Any]
else:
    _Base = object


class QuietCrash(_Base):
    """Mixin for the App (before `App` in the bases) that keeps data out of crash reports.

    Textual prints every local variable of every frame, connection strings included, and prints
    exit messages with the control characters that are in them. All four ways to that output are
    taken here: an error, an error that renders itself, `panic`, and an exit message.
    """

    crash_folder: Path = Path.home() / ".local" / "state" / "ops-console" / "crashes"
    """Where reports go; the app sets it before it runs."""

    def _handle_exception(self, error: Exception) -> None:
        # Same duties as Textual's, but the error itself is at hand instead of a rendering of it.
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
            self._exit_renderables.insert(0, crash_message(error, self.crash_folder))
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        error = sys.exception()
        self._handle_exception(error if isinstance(error, Exception) else RuntimeError("panic"))

    def panic(self, *renderables: RenderableType) -> None:
        """Exit with messages, each one reduced to harmless text when it is printed."""
        self._exit_renderables.extend(renderables)
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        messages = dict.fromkeys(map(_plain, self._exit_renderables))
        self._exit_renderables.clear()
        for message in messages:
            emit(message, sys.stderr)


def _plain(renderable: RenderableType) -> str:
    """The text of a message; a string is taken literally, never as markup."""
    if isinstance(renderable, str):
        return renderable
    plain = getattr(renderable, "plain", None)
    if isinstance(plain, str):
        return plain
    paper = io.StringIO()
    Console(file=paper, color_system=None, width=100, force_terminal=False).print(renderable)
    return paper.getvalue().rstrip()
