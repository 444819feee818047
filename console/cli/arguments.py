"""Takes a secret argument out of what the process list shows, where the system allows it."""

from __future__ import annotations

import os
from pathlib import Path

_ARG_START, _ARG_END = 47, 48  # fields of /proc/self/stat, see proc(5), counted from zero


def hide_password(url: str) -> bool:
    """Hide a connection string that may hold a password."""
    return ("@" in url or "password" in url) and hide(url)


def hide(argument: str) -> bool:
    """Overwrite an argument in this process's own command line; False where that is impossible.

    It was visible until now, and a parent such as a shell with `-c` still shows its own copy.
    """
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        start, end = int(fields[_ARG_START - 2]), int(fields[_ARG_END - 2])
    except (OSError, ValueError, IndexError):
        return False
    return _overwrite(os.fsencode(argument), start, end)


def _overwrite(secret: bytes, start: int, end: int) -> bool:
    import ctypes

    if not secret or not 0 < start < end:
        return False
    place = ctypes.string_at(start, end - start).find(secret)
    if place < 0:
        return False
    ctypes.memset(start + place, ord("*"), len(secret))
    return True
