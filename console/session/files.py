"""Private files: opened without following links, locked while written, flushed when it counts."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.errors import CouldNotRun

_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_RDWR | os.O_APPEND | _SAFE
LOCK_SECONDS = 30.0


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn an error of the operating system into one sentence that begins with `what`."""
    try:
        yield
    except OSError as error:
        raise CouldNotRun(
            f"{what}: {error.strerror or error}.",
            next_step="Nothing is done without a log; make its folder writable, or name another "
            "with --session-dir.",
        ) from error


def make_directory(directory: Path) -> None:
    """Create the folder with mode 0700, parents too; refuse one that others may change."""
    for folder in (*reversed(directory.parents), directory):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_directory(folder.parent)
    info = directory.stat()
    _refuse_foreign(directory, info)
    if info.st_mode & stat.S_IWOTH:
        raise CouldNotRun(
            f"The folder {directory} may be changed by every user.",
            next_step=f"chmod 700 {directory}, or name another with --session-dir.",
        )


def create(path: Path) -> int:
    """Create a new private file, mode 0600, and make its name durable."""
    descriptor = os.open(path, _WRITE | os.O_CREAT | os.O_EXCL, 0o600)
    sync_directory(path.parent)
    return descriptor


def open_for_append(path: Path, *, make: bool = False) -> int:
    """Open a regular file of our own for reading and appending."""
    flags = _WRITE | os.O_NONBLOCK | (os.O_CREAT if make else 0)
    return _checked(path, os.open(path, flags, 0o600), own=True)


def open_for_reading(path: Path) -> int:
    """Open a regular file for reading."""
    return _checked(path, os.open(path, os.O_RDONLY | os.O_NONBLOCK | _SAFE), own=False)


def _checked(path: Path, descriptor: int, *, own: bool) -> int:
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise CouldNotRun(f"{path} is not a regular file.")
        if own:
            _refuse_foreign(path, info)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_foreign(path: Path, info: os.stat_result) -> None:
    if info.st_uid != os.geteuid():
        raise CouldNotRun(
            f"{path} belongs to another user (id {info.st_uid}).",
            next_step="Use a folder of your own with --session-dir.",
        )


def sync_directory(directory: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; the system may take them in pieces."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Hold the file's exclusive lock; give up after `LOCK_SECONDS`."""
    deadline = time.monotonic() + LOCK_SECONDS
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            raise CouldNotRun(f"Another process has held the session log for {LOCK_SECONDS:.0f} s.")
        time.sleep(0.002)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
