"""A rollback before it is applied: clean, changed since, gone, and each conflict three ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.operation import PlanRow
from screens import present
from screens.actions import bindings
from screens.plan import LOOKING, PlanScreen
from screens.widgets.columns import Column
from screens.words import change, changed, columns_of, kind

if TYPE_CHECKING:
    from screens.flow import Task

DECIDED = ("delete", "restore", "insert")
CONFLICTS = frozenset({"changed", "gone"})
LONG = 24
ASKED = ("k keeps it as it is now, r puts the old values back", "k keeps the line, r deletes it")
"""What is asked about a line that was there before the run, and about one that was not."""


class RollbackScreen(PlanScreen):
    """The plan of an undo; each conflict is decided here, one by one, then planned again."""

    TITLE_WORD = "Rollback"
    EXPORT_NAME = "rollback"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("apply", "keep", "restore", "next_conflict", "replan", *LOOKING)
    ]

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.decisions: dict[str, str] = {}
        self._carried = task.incident.decisions(task.command)

    def columns(self) -> Sequence[Column]:
        return (
            Column("Row", 7, right=True),
            Column("Kind", 10),
            Column("Decision", 9),
            Column("Change"),
        )

    def cells(self, row: PlanRow) -> tuple[Content, ...]:
        return (
            present.count(row.number),
            kind(row.operation),
            present.label(self.decided(row), "bold"),
            change(row),
        )

    def details(self, row: PlanRow) -> Iterator[Content]:
        if row.operation in DECIDED:
            yield from super().details(row)
            return
        yield present.joined(kind(row.operation), present.identifier(row.key))
        if row.reason:
            yield present.label(row.reason, present.WARN)
        yield from three_ways(row)
        asked = ASKED[row.before is None] if row.operation in CONFLICTS else ""
        decided = self.decided(row)
        yield present.label(f"decided: {decided}" if decided else asked, present.ACCENT)

    def decided(self, row: PlanRow) -> str:
        """What was decided about a row, here or before this plan."""
        return self.decisions.get(row.key) or self._carried.get(row.key, "")

    def kinds(self) -> Sequence[str]:
        """The classes of rows; what is written as planned is clean."""
        return [*(name for name in super().kinds() if name not in DECIDED), "clean"]

    def reload(self) -> None:
        fetch = partial(self.fetch, (self.kind,) if self.kind else (), self.search)
        whole = not self.kind and not self.search
        self.table.border_title = f"Rows: {self.kind or 'all kinds'}"
        total = sum(self.plan.counts.values()) if whole else None
        self.table.show(fetch, total=total, dense=whole)

    @property
    def here(self) -> PlanRow | None:
        """The row under the cursor."""
        return self.row.value if self.row else None

    def why_not_keep(self) -> str:
        if self.here is None or self.here.operation in (*DECIDED, *CONFLICTS):
            return "" if self.here else "no row is selected"
        return "this row is left as it is anyway"

    def why_not_restore(self) -> str:
        if self.here is None:
            return "no row is selected"
        if self.here.operation in DECIDED:
            return "it is undone as planned" if self.here.key not in self.decisions else ""
        return "" if self.here.operation in CONFLICTS else f"protected: {self.here.reason}"

    def do_keep(self) -> None:
        self._decide("keep")

    def do_restore(self) -> None:
        self._decide("restore")

    def _decide(self, decision: str) -> None:
        row = self.here
        if row is None:
            return
        self.decisions[row.key] = decision
        self.table.put(self.cells(row))
        self.query_one("#panel").border_subtitle = f"{len(self.decisions)} decided"
        self.table.cursor += 1
        self.refresh_actions()

    def why_not_next_conflict(self) -> str:
        found = CONFLICTS & self.plan.counts.keys()
        return "" if found else "the plan has no conflict to decide"

    def do_next_conflict(self) -> None:
        order = [name for name in self.kinds() if name in CONFLICTS]
        if self.kind not in order:
            self.kind = order[0]
            self.reload()
        elif self.table.cursor + 1 < self.table.known:
            self.table.cursor += 1
        else:
            self.kind = order[(order.index(self.kind) + 1) % len(order)]
            self.reload()

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
    if old is None and run is not None:
        yield present.label("The run inserted this line; there is no old one.", present.QUIET)
    names = {*(changed(old, run) if old else ()), *changed(run, now)}
    for name in (n for n in columns_of(old, run, now) if n in names):
        shown = [
            present.joined(
                present.label(word, present.QUIET),
                present.plain(image.get(name)) if image else present.label("(no row)"),
            )
            for word, image in (("old", old), ("run", run), ("now", now))
            if image or word != "old"
        ]
        yield present.label(name, "bold")
        if max(part.cell_length for part in shown) <= LONG:
            yield present.joined("", *shown, between="  ")
        else:
            yield from (present.joined("", part, between="  ") for part in shown)
