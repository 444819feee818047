"""Findings, worst first: what was found, where, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.operation import Check, Finding, Plan
from screens import present
from screens.actions import bindings
from screens.tabled import ALL, TabledScreen
from screens.widgets.columns import Column
from screens.widgets.keyset_table import KeysetTable
from screens.widgets.pages import Row
from screens.words import figures, paragraph

SEVERITIES = ("error", "warning", "info")
Source = Callable[[int, int], Sequence[Finding]]


class FindingsScreen(TabledScreen):
    """The findings of a check or a plan; nothing found is said as well."""

    TITLE_WORD = "Findings"
    EXPORT_NAME = "findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("severity", "search", "copy", "export", "back", "help", "quit")
    ]

    def __init__(
        self, head: Content, source: Source, total: int, figures: Sequence[Content] = ()
    ) -> None:
        super().__init__()
        self._head = head
        self._source = source
        self._total = total
        self._figures = figures

    @classmethod
    def of_check(cls, check: Check, title: str = "") -> FindingsScreen:
        """The findings that a check carries, and below them its figures."""
        name = present.label(title or check.name, "bold")
        head = [present.joined(present.answer(check.answer), name)]
        if check.summary:
            head.append(present.label(check.summary))
        listed, total = _listed(check.findings), len(check.findings)
        return cls(paragraph(*head), listed, total, tuple(figures(check.figures)))

    @classmethod
    def of_plan(cls, plan: Plan, source: Source) -> FindingsScreen:
        """The findings of a plan, by pages."""
        head = present.joined(
            present.label(plan.title, "bold"),
            present.count(plan.finding_count),
            "findings",
        )
        return cls(head, source, plan.finding_count)

    def body(self) -> Iterator[Any]:
        yield Vertical(Static(self._head, id="head", markup=False), id="totals")
        yield self.search_field()
        with Horizontal(id="columns"):
            yield KeysetTable(
                Column("Severity", 9),
                Column("Line", 6, right=True),
                Column("What was found"),
                empty="✓ Nothing was found.",
            )
            panel = VerticalScroll(Static(id="detail"), id="panel")
            panel.border_title = "What to do" if self._total else "Figures"
            yield panel

    def ready(self) -> None:
        self.set_class(not self._total, "-none")
        self.query_one("#detail", Static).update(paragraph(*self._figures))
        self.table.focus()
        self.reload()

    def kinds(self) -> Sequence[str]:
        return SEVERITIES

    def reload(self) -> None:
        all_of_them = self.kind == ALL and not self.search
        fetch = partial(_fetch, self._source, self.kind, self.search.casefold())
        self.table.border_title = f"Findings: {self.kind or 'all'}, worst first"
        self.table.show(fetch, total=self._total if all_of_them else None, dense=all_of_them)

    def on_keyset_table_moved(self, message: KeysetTable.Moved) -> None:
        found = list(_details(message.row.value)) if message.row else []
        below = [present.label(""), *self._figures] if found and self._figures else self._figures
        self.query_one("#detail", Static).update(paragraph(*found, *below))
        self.query_one("#panel").scroll_home(animate=False)
        known = self.table.known
        where = f"{self.table.cursor + 1:,} of {known:,}" if known else "0"
        self.table.border_subtitle = where if self.table.complete else f"{where}+"
        self.refresh_actions()

    def do_severity(self) -> None:
        self.next_kind()

    def copied(self) -> str:
        return str(self.row.value.record or self.row.value.code) if self.row else ""

    def export_header(self) -> Sequence[str]:
        return ("severity", "code", "line", "record", "message", "next_step")

    def export_row(self, value: Finding) -> Sequence[object]:
        return (
            value.severity,
            value.code,
            value.line,
            value.record,
            value.message,
            value.next_step,
        )


def _listed(findings: Sequence[Finding]) -> Source:
    return lambda after, size: findings[after : after + size]


def _fetch(source: Source, severity: str, search: str, after: int, size: int) -> list[Row]:
    """Read on until a page is full of findings that are asked for; runs in a thread."""
    rows: list[Row] = []
    while len(rows) < size:
        page = source(after, size)
        for number, finding in enumerate(page, start=after + 1):
            if _asked(finding, severity, search):
                rows.append(Row(number, _cells(finding), finding))
                if len(rows) == size:
                    break
        after += len(page)
        if len(page) < size:
            break
    return rows


def _asked(finding: Finding, severity: str, search: str) -> bool:
    if severity and finding.severity != severity:
        return False
    return not search or search in f"{finding.message} {finding.record} {finding.code}".casefold()


def _cells(finding: Finding) -> tuple[Content, ...]:
    line = present.count(finding.line) if finding.line is not None else present.label("")
    return (present.severity(finding.severity), line, present.label(finding.message))


def _details(finding: Finding) -> Iterator[Content]:
    yield present.joined(present.severity(finding.severity), present.label(finding.code, "bold"))
    yield present.label(finding.message)
    if finding.next_step:
        yield present.label(f"→ {finding.next_step}", present.ACCENT)
    if finding.record:
        yield present.joined(present.label("record", present.QUIET), finding.record)
    if finding.line is not None:
        yield present.joined(present.label("CSV line", present.QUIET), present.count(finding.line))
