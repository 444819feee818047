"""Rows that live elsewhere, read by pages and by key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from textual.content import Content

PAGE = 100
KEPT_PAGES = 64
LARGE_PAGE = 1000


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
    """Where rows come from; `total` None while they are not counted."""

    fetch: Fetch
    total: int | None
    dense: bool


class Kept:
    """The pages of one source that are kept, and how many rows are known."""

    def __init__(self) -> None:
        self.source: Source | None = None
        self.pages: OrderedDict[int, Sequence[Row]] = OrderedDict()
        self.anchors: dict[int, int] = {0: 0}
        self.known = 0

    @property
    def complete(self) -> bool:
        """Whether `known` is the true number of rows."""
        return self.source is not None and self.source.total is not None

    def begin(self, source: Source) -> None:
        """Forget everything; rows come from this source from now on."""
        self.source = source
        self.pages.clear()
        self.anchors = {0: 0}
        self.known = source.total or 0

    def row_at(self, index: int) -> Row | None:
        """A row by its place, when its page is kept."""
        page = self.pages.get(index // PAGE)
        place = index % PAGE
        return page[place] if page is not None and place < len(page) else None

    def put(self, index: int, cells: tuple[Content, ...]) -> None:
        """Show other cells for a row that is kept."""
        row = self.row_at(index)
        if row is not None:
            rows = list(self.pages[index // PAGE])
            rows[index % PAGE] = Row(row.number, cells, row.value)
            self.pages[index // PAGE] = rows

    def wanted(self, first: int, last: int, direction: int = 0) -> list[int]:
        """The pages between two places that are not kept; else the next one in a direction."""
        last = min(last, max(self.known - 1, 0))
        shown = range(first // PAGE, last // PAGE + 1)
        return [n for n in shown if n not in self.pages] or self._next(shown, direction)

    def _next(self, shown: range, direction: int) -> list[int]:
        ahead = shown[-1] + 1 if direction > 0 else shown[0] - 1
        there = direction and ahead >= 0 and ahead * PAGE < self.known
        return [ahead] if there and ahead not in self.pages else []

    def keep(self, number: int, rows: Sequence[Row]) -> None:
        """Keep a page, let the oldest go, and learn how many rows there are."""
        self.pages[number] = rows
        while len(self.pages) > KEPT_PAGES:
            self.pages.popitem(last=False)
        if rows:
            self.anchors[number + 1] = rows[-1].number
        if self.source is None or self.source.total is not None:
            return
        end = number * PAGE + len(rows)
        if len(rows) < PAGE:
            # Pages in flight belong to the same source; its identity must stay.
            self.source.total = self.known = end
        else:
            self.known = max(self.known, end + 1)  # one more to scroll to, which reads on


def everything(source: Source) -> Iterator[Row]:
    """Every row of a source, read by large pages."""
    after = 0
    while True:
        rows = source.fetch(after, LARGE_PAGE)
        yield from rows
        if len(rows) < LARGE_PAGE:
            return
        after = rows[-1].number


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
