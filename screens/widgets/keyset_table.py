"""A table over rows that live elsewhere: only pages in view are read, in a thread, by key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from rich.segment import Segment
from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from console.errors import ConsoleError
from screens import present
from screens.widgets.columns import Column, fitted, roomy, widths
from screens.widgets.pages import PAGE, Fetch, Kept, Row, Source, gaps, walk


class KeysetTable(ScrollView, can_focus=True):
    """A table of any length; `total` None means that it is not counted yet.

    `dense` promises that the rows are numbered 1, 2, 3 ..., so that a jump needs no walk.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "keyset-table--header",
        "keyset-table--cursor",
        "keyset-table--blurred",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "jump(0)", "First", show=False),
        Binding("end", "jump(-1)", "Last", show=False),
        Binding("enter", "select", "Select", show=False),
    ]

    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor stands on another row; None while it is being read."""

        def __init__(self, row: Row | None) -> None:
            super().__init__()
            self.row = row

    class Selected(Message):
        """The row under the cursor was chosen."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class PagesRead(Message):
        """Pages arrived, or could not be read."""

        def __init__(self, source: object, pages: dict[int, Sequence[Row]], error: str) -> None:
            super().__init__()
            self.source = source
            self.pages = pages
            self.error = error

    def __init__(self, *columns: Column, empty: str = "Nothing to show.", id: str = "rows") -> None:
        super().__init__(id=id)
        self._columns = columns
        self._empty = empty
        self._kept = Kept()
        self._reading = False
        self._direction = 0
        self.error = ""

    @property
    def known(self) -> int:
        """Rows that are counted or read so far."""
        return self._kept.known

    @property
    def complete(self) -> bool:
        """Whether `known` is the true number of rows."""
        return self._kept.complete

    @property
    def row(self) -> Row | None:
        """The row under the cursor, when it has been read."""
        return self._kept.row_at(self.cursor)

    @property
    def source(self) -> Source | None:
        """Where the rows come from that are shown."""
        return self._kept.source

    def show(self, fetch: Fetch, *, total: int | None, dense: bool = False) -> None:
        """Show another source from its beginning."""
        self._kept.begin(Source(fetch, total, dense))
        self._reading = False
        self.error = ""
        self.cursor = 0
        self._resize()
        self.scroll_to(0, 0, animate=False)
        self._direction = 0
        self._read()

    def put(self, cells: tuple[Content, ...]) -> None:
        """Show other cells for the row under the cursor."""
        self._kept.put(self.cursor, cells)
        self.refresh()

    @property
    def _height(self) -> int:
        return max(self.scrollable_content_region.height - 1, 1)

    def _resize(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, self.known + 1)
        self.refresh()

    def on_resize(self) -> None:
        self._resize()
        self._read()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._direction = 1 if new_value > old_value else -1
        self._read()

    def _read(self) -> None:
        source, first = self._kept.source, self.scroll_offset.y
        wanted = self._kept.wanted(first, first + self._height, self._direction)
        if source is None or self._reading or self.error or not wanted:
            return
        self._reading = True
        anchors = {n: n * PAGE for n in wanted} if source.dense else dict(self._kept.anchors)
        read = partial(self._read_pages, source, wanted, anchors)
        self.run_worker(read, thread=True, group="pages", exit_on_error=False)

    def _read_pages(self, source: Source, wanted: list[int], anchors: dict[int, int]) -> None:
        pages: dict[int, Sequence[Row]] = {}
        error = ""
        try:
            for number in wanted:
                pages |= walk(source.fetch, number, anchors)
            if source.dense and any(gaps(number, rows) for number, rows in pages.items()):
                source.dense = False
                pages.clear()
        except ConsoleError as problem:
            error = problem.message
        self.post_message(self.PagesRead(source, pages, error))

    def on_keyset_table_pages_read(self, message: PagesRead) -> None:
        message.stop()
        if message.source is not self._kept.source:
            return
        self._reading = False
        self.error = message.error
        if not message.pages and not self.error:
            # The numbers have gaps after all: what was kept may stand in the wrong place.
            self._kept.pages.clear()
        before = self.row
        for number, rows in sorted(message.pages.items()):
            self._kept.keep(number, rows)
            self._columns = roomy(self._columns, rows)
        self.cursor = self.validate_cursor(self.cursor)
        self._resize()
        if self.row is not before or not self.known:
            self.post_message(self.Moved(self.row))
        self._read()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if y == 0:
            cells = tuple(present.label(column.label) for column in self._columns)
            return self._strip(cells, width, "keyset-table--header")
        index = self.scroll_offset.y + y - 1
        row = self._kept.row_at(index)
        if row is not None:
            return self._strip(row.cells, width, self._style_of(index))
        return self._strip((self._note(index),), width, "")

    def _note(self, index: int) -> Content:
        if index == self.scroll_offset.y and self.error:
            return present.label(self.error, present.FAIL)
        if self.known == 0 and index == 0:
            return present.label("" if self._reading else self._empty, present.QUIET)
        return present.label("…" if index < self.known else "", present.QUIET)

    def _style_of(self, index: int) -> str:
        if index != self.cursor:
            return ""
        return "keyset-table--cursor" if self.has_focus else "keyset-table--blurred"

    def _strip(self, cells: tuple[Content, ...], width: int, part: str) -> Strip:
        style = self.get_visual_style(part) if part else self.visual_style
        room = widths(self._columns, width) if len(cells) > 1 else [width - 1]
        shown = present.joined("", *map(fitted, cells, room, self._columns), between=" ")
        parts = shown.truncate(width, pad=True).render(style, "", parse_style=self._resolve)
        return Strip([Segment(text, each.rich_style) for text, each in parts], width)

    def _resolve(self, style: str | Style) -> Style:
        return Style.parse(style, self.app.theme_variables) if isinstance(style, str) else style

    def watch_cursor(self, old: int, new: int) -> None:
        if old != new:
            self._reveal()
            self.refresh()
            self.post_message(self.Moved(self.row))

    def _reveal(self) -> None:
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + self._height:
            self.scroll_to(y=self.cursor - self._height + 1, animate=False)

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.known - 1))

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, by: int) -> None:
        self.cursor += by * self._height

    def action_jump(self, to: int) -> None:
        self.cursor = to % max(self.known, 1)

    def action_select(self) -> None:
        if self.row is not None:
            self.post_message(self.Selected(self.row))

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y - 1
        if event.y < 1 or index >= self.known:
            return
        if index == self.cursor:
            self.action_select()
        self.cursor = index

    @on(events.Focus)
    @on(events.Blur)
    def _refocused(self) -> None:
        self.refresh(Region(0, 0, *self.size))
