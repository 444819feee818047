"""`--select`: keys given on the command line or one per line in a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from console.errors import BadInput

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def lines(given: Iterable[str]) -> tuple[int, ...]:
    """Line numbers of a CSV file, the header being line 1; sorted, each once."""
    found = set()
    for key in _keys(given, re.compile(r"[0-9]{1,9}")):
        if not re.fullmatch(r"[0-9]{1,9}", key) or int(key) < 2:
            raise BadInput(
                f"{key[:80]!r} is no line of the file.",
                next_step="--select takes line numbers from 2 on, or a file of them, one a line.",
            )
        found.add(int(key))
    return tuple(sorted(found))


def line_ids(given: Iterable[str], option: str = "--select") -> tuple[str, ...]:
    """Ids of invoice lines; sorted, each once, so that equal choices make equal plans."""
    found = set()
    for key in _keys(given, _UUID):
        if not _UUID.fullmatch(key):
            raise BadInput(
                f"{key[:80]!r} is not the id of an invoice line.",
                next_step=f"{option} takes ids as the plan prints them, or a file of them.",
            )
        found.add(key.lower())
    return tuple(sorted(found))


def _keys(given: Iterable[str], shape: re.Pattern[str]) -> Iterator[str]:
    """The keys themselves; what has not the shape of one is read as a file."""
    for entry in given:
        if shape.fullmatch(entry) or not Path(entry).is_file():
            yield entry
        else:
            yield from _in_file(Path(entry))


def _in_file(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as a list of keys: {error}.") from None
    keys = [line.strip() for line in text.splitlines() if line.strip()]
    if not keys:
        raise BadInput(f"{path} names no key; an empty selection would mean all rows.")
    yield from keys
