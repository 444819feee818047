"""A table over rows that live elsewhere: what is read, and what is shown meanwhile."""

import threading
from collections.abc import Sequence

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from console.errors import CouldNotRun
from screens import present
from screens.widgets.columns import Column
from screens.widgets.keyset_table import KeysetTable
from screens.widgets.pages import KEPT_PAGES, PAGE, Row
from tests.pilot.driving import rows_in_view

MILLION = 1_000_000


class Source:
    """Numbers every `step`-th row and remembers what was asked."""

    def __init__(self, total: int, step: int = 1) -> None:
        self.total = total
        self.step = step
        self.asked: list[int] = []
        self.threads: set[int] = set()
        self.fault = ""

    def __call__(self, after: int, size: int) -> Sequence[Row]:
        self.asked.append(after)
        self.threads.add(threading.get_ident())
        if self.fault:
            raise CouldNotRun(self.fault)
        first = after - after % self.step + self.step
        numbers = range(first, self.total * self.step + 1, self.step)[:size]
        return [Row(n, (present.count(n), present.label(f"row {n}")), n) for n in numbers]


class Showing(App[None]):
    def __init__(self, source: Source, total: int | None, dense: bool) -> None:
        super().__init__()
        self.source, self.total, self.dense = source, total, dense

    def compose(self) -> ComposeResult:
        yield KeysetTable(Column("#", 9, right=True), Column("What"), empty="Nothing.")

    def on_mount(self) -> None:
        self.query_one(KeysetTable).show(self.source, total=self.total, dense=self.dense)
        self.query_one(KeysetTable).focus()


async def read(pilot: Pilot[None]) -> KeysetTable:
    await pilot.pause()
    while any(not worker.is_finished for worker in pilot.app.workers):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
    return pilot.app.query_one(KeysetTable)


def shown(table: KeysetTable) -> list[str]:
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


async def test_a_million_rows_read_one_page() -> None:
    """Only what is in view is read, and not in the screen's thread."""
    source = Source(MILLION)
    async with Showing(source, MILLION, dense=True).run_test() as pilot:
        table = await read(pilot)
        assert source.asked == [0]
        assert source.threads.isdisjoint({threading.get_ident()})
        assert shown(table)[1].split() == ["1", "row", "1"]


async def test_a_jump_to_the_end_reads_the_last_page_alone() -> None:
    """Dense rows need no walk."""
    source = Source(MILLION)
    async with Showing(source, MILLION, dense=True).run_test() as pilot:
        table = await read(pilot)
        await pilot.press("end")
        await read(pilot)
        assert table.row is not None
        assert table.row.number == MILLION
        assert len(source.asked) <= 3


async def test_the_next_page_is_read_before_it_is_asked_for() -> None:
    """Going on in the same direction finds its rows there; standing still reads nothing more."""
    source = Source(MILLION)
    async with Showing(source, MILLION, dense=True).run_test() as pilot:
        table = await read(pilot)
        await pilot.press("pagedown")
        await read(pilot)
        assert source.asked == [0, PAGE]
        while table.cursor < PAGE:
            await pilot.press("pagedown")
        assert table.row is not None
        await read(pilot)
        assert source.asked == [0, PAGE, 2 * PAGE]


async def test_a_number_is_never_cut() -> None:
    """A column of numbers grows with the rows that are read."""
    source = Source(1_234_567_890)
    async with Showing(source, source.total, dense=True).run_test() as pilot:
        table = await read(pilot)
        await pilot.press("end")
        await read(pilot)
        assert shown(table)[-1].split() == ["1,234,567,890", "row", "1234567890"]


async def test_rows_of_one_kind_are_found_by_walking() -> None:
    """Sparse numbers: the anchor of a page is the last number of the page before."""
    source = Source(1000, step=7)
    async with Showing(source, 1000, dense=False).run_test() as pilot:
        table = await read(pilot)
        await pilot.press("end")
        await read(pilot)
        assert table.row is not None
        assert table.row.number == 7000
        assert all(after % 7 == 0 for after in source.asked)


async def test_a_broken_promise_of_density_is_noticed() -> None:
    """Numbers with gaps, although dense was promised, are walked and none is left out."""
    source = Source(1000, step=3)
    async with Showing(source, 1000, dense=True).run_test() as pilot:
        table = await read(pilot)
        assert shown(table)[2].split() == ["6", "row", "6"]
        await pilot.press("end")
        await read(pilot)
        assert table.row is not None
        assert table.row.number == 3000


async def test_what_is_not_counted_is_not_claimed() -> None:
    """Without a total the table knows only what it has read, until it meets the end."""
    source = Source(PAGE + 20)
    async with Showing(source, None, dense=False).run_test() as pilot:
        table = await read(pilot)
        assert table.known == PAGE + 1
        assert not table.complete
        await pilot.press("end")
        await read(pilot)
        assert table.known == PAGE + 20
        assert table.complete


async def test_a_search_without_a_hit_says_so() -> None:
    """Nothing found is not an empty picture."""
    async with Showing(Source(0), None, dense=False).run_test() as pilot:
        table = await read(pilot)
        assert "Nothing." in shown(table)[1]


async def test_an_exact_page_has_no_ghost_row() -> None:
    """A source that ends with a full page is read to its end and stays that long."""
    source = Source(PAGE)
    async with Showing(source, None, dense=False).run_test() as pilot:
        table = await read(pilot)
        await pilot.press("end")
        await read(pilot)
        await pilot.press("end")
        await read(pilot)
        assert table.known == PAGE
        assert table.row is not None
        assert table.row.number == PAGE


async def test_a_fault_is_shown_and_not_repeated() -> None:
    """A source that fails is asked once and its reason stands in the table."""
    source = Source(10)
    source.fault = "The plan's connection is gone."
    async with Showing(source, 10, dense=True).run_test() as pilot:
        table = await read(pilot)
        assert "connection is gone" in shown(table)[1]
        await pilot.press("down", "pagedown")
        await read(pilot)
        assert source.asked == [0]


async def test_memory_is_bounded() -> None:
    """Pages out of view are forgotten."""
    source = Source(MILLION)
    async with Showing(source, MILLION, dense=True).run_test() as pilot:
        table = await read(pilot)
        for page in range(KEPT_PAGES + 10):
            table.cursor = page * PAGE * 3
            await read(pilot)
        assert len(table._kept.pages) <= KEPT_PAGES


async def test_a_click_moves_and_a_second_selects() -> None:
    """The mouse does what the keys do."""
    async with Showing(Source(10), 10, dense=True).run_test() as pilot:
        table = await read(pilot)
        chosen: list[int] = []
        table.post_message = (  # type: ignore[method-assign]
            lambda message, send=table.post_message: (
                chosen.append(message.row.number)
                if isinstance(message, KeysetTable.Selected)
                else None,
                send(message),
            )[1]
        )
        await pilot.click(KeysetTable, offset=(5, 3))
        assert table.cursor == 2
        await pilot.click(KeysetTable, offset=(5, 3))
        assert chosen == [3]


async def test_only_the_newest_source_is_shown() -> None:
    """Pages of a source that was replaced meanwhile are dropped."""
    async with Showing(Source(10), 10, dense=True).run_test() as pilot:
        table = await read(pilot)
        table.show(Source(5, step=2), total=5)
        await read(pilot)
        assert [row.number for row in rows_in_view(table)] == [2, 4, 6, 8, 10]
