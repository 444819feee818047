"""Folders that last as long as their process; what a killed one left behind is swept away."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from console.sandbox.sandbox import destroy

PREFIX = "ops-console-"
_OWNER = "owner.lock"
SANDBOX = "sandbox"


@contextlib.contextmanager
def passing_folder() -> Iterator[Path]:
    """A new folder of this process alone, gone with its sandbox at the end of the block."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        # Under its name only once it is locked, so that no sweep comes in between.
        with (folder / f"{_OWNER}.new").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            (folder / f"{_OWNER}.new").rename(folder / _OWNER)
            try:
                yield folder
            finally:
                destroy(folder / SANDBOX)


def sweep() -> None:
    """Remove the folders whose process is dead; the lock of a living one is held."""
    for owner in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{_OWNER}"):
        with contextlib.suppress(OSError), owner.open("r+") as held:
            if os.fstat(held.fileno()).st_uid != os.geteuid() or owner.is_symlink():
                continue
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            destroy(owner.parent / SANDBOX)
            shutil.rmtree(owner.parent)
