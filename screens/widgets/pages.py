"""Rows that live elsewhere, read by pages and by key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from textual.content import Content

PAGE = 100
KEPT_PAGES = 64


@dataclass(frozen=True, slots=True)
class Column:
    """A column; one of width 0 takes what is left."""

    label: str
    width: int = 0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row to show: its number in the source, its cells, and the value behind it."""

    number: int
    cells: tuple[Content, ...]
    value: Any = None


Fetch = Callable[[int, int], Sequence[Row]]
"""Rows with a number above the first argument, at most as many as the second says."""


@dataclass(slots=True, eq=False)
class Source:
    fetch: Fetch
    total: int | None
    dense: bool


def gaps(number: int, rows: Sequence[Row]) -> bool:
    """Whether a page is not numbered as a dense source would number it."""
    expected = range(number * PAGE + 1, number * PAGE + 1 + len(rows))
    return [row.number for row in rows] != list(expected)


def walk(fetch: Fetch, number: int, anchors: dict[int, int]) -> dict[int, Sequence[Row]]:
    """Read one page, walking from the nearest page whose beginning is known."""
    pages: dict[int, Sequence[Row]] = {}
    start = max(n for n in anchors if n <= number)
    for page in range(start, number + 1):
        rows = fetch(anchors[page], PAGE)
        pages[page] = rows
        if len(rows) < PAGE:
            break
        anchors[page + 1] = rows[-1].number
    return pages
