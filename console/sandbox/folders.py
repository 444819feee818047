"""Folders and files that belong to one user alone."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from console.sandbox.binaries import SandboxError


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one process at a time into the block; others wait, and a dead one never blocks."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def private_folder(folder: Path) -> None:
    """Create a folder of mode 0700, and refuse one that is not ours alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise SandboxError(f"{folder} is not a folder; choose another directory.")
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        raise SandboxError(f"{folder} belongs to another user; choose another directory.")
    folder.chmod(0o700)


def last_lines(log: Path, count: int) -> str:
    """The end of a log file, or where to look when it is empty."""
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(lines[-count:]) or f"see {log}"
