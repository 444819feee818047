"""What can go wrong, each with its exit code; a class docstring is the default message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from console.operation import Finding


class ConsoleError(Exception):
    """The console cannot go on."""

    exit_code: ClassVar[int] = 3

    def __init__(
        self, message: str = "", *, next_step: str = "", findings: Sequence[Finding] = ()
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.next_step = next_step
        self.findings = tuple(findings)
        super().__init__(self.message)


class BadInput(ConsoleError):
    """The input is wrong."""

    exit_code = 2


class CouldNotRun(ConsoleError):
    """It could not run: nothing is known, nothing is claimed."""

    exit_code = 3


class Refused(ConsoleError):
    """A guard refused it; nothing was changed."""

    exit_code = 4


class Moved(Refused):
    """The data has moved since the plan; nothing was changed. Plan again."""


class Busy(Refused):
    """Another operator holds the lock."""


class RunIdUsed(Refused):
    """This run id has already been used; nothing was changed."""


class Stopped(ConsoleError):
    """Stopped by the operator; what was in flight is rolled back."""

    exit_code = 130


class InDoubt(ConsoleError):
    """The answer to COMMIT was lost; settle the run before anything else is done with it."""

    exit_code = 3
