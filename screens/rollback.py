"""A rollback before it is applied: clean, changed since, gone, and each conflict three ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.operation import PlanRow
from screens import present
from screens.actions import bindings
from screens.plan import PlanScreen
from screens.widgets.keyset_table import Column
from screens.words import change, changed, columns_of, kind

if TYPE_CHECKING:
    from screens.flow import Task


class RollbackScreen(PlanScreen):
    """The plan of an undo; each conflict is decided here, one by one, then planned again."""

    TITLE_WORD = "Rollback"
    EXPORT_NAME = "rollback"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(
            "apply",
            "keep",
            "restore",
            "next_conflict",
            "replan",
            "kinds",
            "search",
            "show_findings",
            "copy",
            "export",
            "back",
            "help",
            "quit",
        )
    ]

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.decisions: dict[str, str] = {}

    def columns(self) -> Sequence[Column]:
        return (
            Column("Row", 7, right=True),
            Column("Kind", 10),
            Column("Decision", 9),
            Column("Change"),
        )

    def cells(self, row: PlanRow) -> tuple[Content, ...]:
        decided = self.decisions.get(row.key, "")
        return (
            present.count(row.number),
            kind(row.operation),
            present.label(decided, "bold"),
            change(row),
        )

    def details(self, row: PlanRow) -> Iterator[Content]:
        if row.operation != "conflict":
            yield from super().details(row)
            return
        yield present.joined(kind(row.operation), present.identifier(row.key))
        if row.reason:
            yield present.label(row.reason, present.WARN)
        yield from three_ways(row)
        decided = self.decisions.get(row.key)
        word = f"decided: {decided}" if decided else "k keeps the current value, r restores the old"
        yield present.label(word, present.ACCENT)

    @property
    def conflict(self) -> PlanRow | None:
        """The conflict under the cursor."""
        row = self.row.value if self.row else None
        return row if isinstance(row, PlanRow) and row.operation == "conflict" else None

    def why_not_keep(self) -> str:
        return "" if self.conflict else "this row is no conflict"

    why_not_restore = why_not_keep

    def do_keep(self) -> None:
        self._decide("keep")

    def do_restore(self) -> None:
        self._decide("restore")

    def _decide(self, decision: str) -> None:
        row = self.conflict
        if row is None:
            return
        self.decisions[row.key] = decision
        self.table.put(self.cells(row))
        open_ones = self.plan.counts.get("conflict", 0) - len(self.decisions)
        self.query_one("#panel").border_subtitle = f"{open_ones} undecided"
        self.do_next_conflict()

    def why_not_next_conflict(self) -> str:
        return "" if self.plan.counts.get("conflict") else "the plan has no conflict"

    def do_next_conflict(self) -> None:
        if self.kind != "conflict":
            self.kind = "conflict"
            self.reload()
        else:
            self.table.cursor += 1
        self.refresh_actions()

    def why_not_replan(self) -> str:
        return self.why_not_start_work() if self.decisions else "nothing is decided yet"

    def do_replan(self) -> None:
        task = self.work
        command = task.incident.decided(task.command, self.decisions)
        self.console.flow.start(task.incident, task.step, command)

    def why_not_apply(self) -> str:
        if self.decisions:
            return "the decisions are not in this plan; d plans again with them"
        return super().why_not_apply()


def three_ways(row: PlanRow) -> Iterator[Content]:
    """Old, the run's and the current value of every column in which they differ."""
    old, run, now = row.before, row.after, row.current
    names = {*changed(old, run), *changed(run, now)}
    for name in (n for n in columns_of(old, run, now) if n in names):
        yield present.label(name, "bold")
        for word, image in (("old", old), ("run", run), ("now", now)):
            shown = present.plain(image.get(name)) if image else present.label("(no row)")
            yield present.joined(present.label(f"  {word:<4}", present.QUIET), shown)
