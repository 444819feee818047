"""Start server programs with the rights PostgreSQL insists on."""

import ctypes
import functools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from console.sandbox.binaries import SandboxError

_NOBODY = 65534
_PR_SET_PDEATHSIG = 1
_NAMESPACE = ["unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--"]


@dataclass(frozen=True, slots=True)
class Launcher:
    """How a server program is started: a command prefix, or another user id."""

    prefix: tuple[str, ...] = ()
    user: int | None = None

    def own(self, folder: Path) -> None:
        """Hand a folder to the user the server will run as."""
        if self.user is not None:
            os.chown(folder, self.user, self.user)

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and keep what it printed."""
        return subprocess.run(  # noqa: S603  our own binaries, no shell
            [*self.prefix, *command],
            capture_output=True,
            text=True,
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            **self._identity(),
        )

    def spawn(
        self, command: Sequence[str], *, log: IO[bytes], cwd: Path, owned: bool
    ) -> subprocess.Popen[bytes]:
        """Start a server in its own session; an owned one stops when this process dies."""
        return subprocess.Popen(  # noqa: S603  our own binaries, no shell
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd,
            env=server_environment(),
            start_new_session=True,
            preexec_fn=_stop_with_parent() if owned else None,
            **self._identity(),
        )

    def _identity(self) -> dict[str, Any]:
        if self.user is None:
            return {}
        return {"user": self.user, "group": self.user, "extra_groups": []}


@functools.cache
def launcher() -> Launcher:
    """The way this process may start a server: directly, or around being root."""
    if os.geteuid() != 0:
        return Launcher()
    if shutil.which("unshare") and Launcher(tuple(_NAMESPACE)).run(["true"]).returncode == 0:
        return Launcher(tuple(_NAMESPACE))
    return Launcher(user=_NOBODY)


def server_environment() -> dict[str, str]:
    """The caller's environment without what would redirect or retune a server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "Europe/Vienna"}


def _stop_with_parent() -> Callable[[], None] | None:
    """A hook for the child that asks the kernel for SIGINT when its parent is gone."""
    if sys.platform != "linux":
        return None
    if threading.current_thread() is not threading.main_thread():
        raise SandboxError(
            "An owned server must be started from the main thread: "
            "it would stop when the starting thread ends."
        )
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def hook() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return hook
