"""A plan before it is applied: every row with before and after, totals, conflicts, token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.operation import Page, Plan, PlanRow
from screens import present
from screens.actions import bindings
from screens.findings import FindingsScreen
from screens.help import TextScreen
from screens.tabled import ALL, TabledScreen
from screens.widgets.columns import Column
from screens.widgets.keyset_table import KeysetTable
from screens.widgets.pages import Row
from screens.words import change, counts, images, kind, money, paragraph

if TYPE_CHECKING:
    from screens.flow import Task

LOOKING = (
    *("kinds", "search", "show_findings", "command"),
    *("copy", "export", "back", "help", "quit"),
)
"""What can be done with every plan besides applying it."""
REFUSED = ("rejected", "conflict")


class PlanScreen(TabledScreen):
    """What would be written, row by row; nothing has been written yet."""

    TITLE_WORD = "Plan"
    EXPORT_NAME = "plan"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("apply", *LOOKING)]

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.work = task

    @property
    def plan(self) -> Plan:
        """The plan that stands."""
        assert self.work.plan is not None  # noqa: S101 - the flow opens this screen with a plan
        return self.work.plan

    def body(self) -> Iterator[Any]:
        yield Vertical(Static(self._head(), id="head", markup=False), id="totals")
        yield self.search_field()
        with Horizontal(id="columns"):
            yield KeysetTable(*self.columns(), empty="No row of this kind.")
            detail = VerticalScroll(Static(id="detail"), id="panel")
            detail.border_title = "Before → after"
            yield detail

    def columns(self) -> Sequence[Column]:
        """The columns of the table."""
        return (
            Column("Row", 7, right=True),
            Column("Kind", 10),
            Column("Line", 6, right=True),
            Column("Change"),
        )

    def cells(self, row: PlanRow) -> tuple[Content, ...]:
        """The cells of one row."""
        line = present.count(row.line) if row.line is not None else present.label("")
        return (present.count(row.number), kind(row.operation), line, change(row))

    def _head(self) -> Content:
        plan = self.plan
        lines = [
            present.joined(present.label(plan.title, "bold"), f"run {plan.run_id}", between="   "),
            counts(plan.counts),
            present.joined(
                present.label("Money", present.QUIET),
                money(plan),
                present.label("Token", present.QUIET),
                present.label(plan.token, "bold"),
                present.label(f"valid until {plan.expires_at:%H:%M} UTC", present.QUIET),
            ),
        ]
        if plan.blocked:
            lines.append(present.label(f"✗ cannot be applied: {plan.blocked}", present.FAIL))
        refused = sum(plan.counts.get(name, 0) for name in REFUSED)
        if refused:
            said = f"✗ {refused:,} lines of the file are not written; f says why, line by line"
            lines.append(present.label(said, present.FAIL))
        lines += [present.label(f"! {note}", present.WARN) for note in plan.notes]
        return paragraph(*lines)

    def ready(self) -> None:
        self.table.border_title = "Rows"
        self.table.focus()
        self.reload()

    def kinds(self) -> Sequence[str]:
        return [name for name, number in self.plan.counts.items() if number]

    def reload(self) -> None:
        numbers = self.plan.counts
        total: int | None = numbers[self.kind] if self.kind else sum(numbers.values())
        if self.search:
            total = None
        fetch = partial(self.fetch, (self.kind,) if self.kind else (), self.search)
        self.table.border_title = f"Rows: {self.kind or 'all kinds'}"
        self.table.show(fetch, total=total, dense=self.kind == ALL and not self.search)

    def fetch(self, kinds: tuple[str, ...], search: str, after: int, size: int) -> list[Row]:
        """Read a page; runs in a thread."""
        page = Page(after=after, size=size, kinds=kinds, search=search)
        return [Row(row.number, self.cells(row), row) for row in self.work.rows(page)]

    def on_keyset_table_moved(self, message: KeysetTable.Moved) -> None:
        detail = self.query_one("#detail", Static)
        detail.update(paragraph(*self.details(message.row.value)) if message.row else "")
        self.query_one("#panel").scroll_home(animate=False)
        where = f"{self.table.cursor + 1:,} of {self.table.known:,}"
        self.table.border_subtitle = where if self.table.complete else f"{where}+"
        self.refresh_actions()

    def details(self, row: PlanRow) -> Iterator[Content]:
        """What the panel says about one row."""
        yield present.joined(kind(row.operation), present.identifier(row.key))
        yield from images(row)

    def why_not_apply(self) -> str:
        if self.plan.blocked:
            return self.plan.blocked
        if self.console.flow.planned.get(self.work.incident.runbook.id) != self.work:
            return "this plan was used or replaced; plan again"
        if self.console.place and self.console.place.read_only:
            return "the environment is read-only"
        if not self.plan.rows_written:
            return "the plan writes no row"
        return self.why_not_start_work()

    def do_apply(self) -> None:
        self.console.flow.ask_to_apply(self.work)

    def do_kinds(self) -> None:
        self.next_kind()

    def why_not_show_findings(self) -> str:
        return "" if self.plan.finding_count or self.plan.findings else "the plan has no findings"

    def do_show_findings(self) -> None:
        self.app.push_screen(FindingsScreen.of_plan(self.plan, self.work.findings))

    def do_command(self) -> None:
        said = self.work.operation.describe()
        self.app.push_screen(TextScreen(f"What runs: {self.plan.title}", said))

    def copied(self) -> str:
        return self.plan.token if self.row is None else str(self.row.value.key)

    def export_header(self) -> Sequence[str]:
        return ("row", "kind", "line", "key", "before", "after", "reason")

    def export_row(self, value: PlanRow) -> Sequence[object]:
        before, after = (dict(image) if image else "" for image in (value.before, value.after))
        return (value.number, value.operation, value.line, value.key, before, after, value.reason)
