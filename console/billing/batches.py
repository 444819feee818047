"""The batches of one writing transaction, each measured as it is written."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg

from console.database.connect import Row, run
from console.errors import Moved
from console.operation import Plan

if TYPE_CHECKING:
    from console.billing.writing import LineWriter


class Batches:
    """Writes the plan batch by batch inside the open transaction and adds up what was written."""

    def __init__(
        self, cursor: psycopg.Cursor[Row], writer: LineWriter, plan: Plan, base: object
    ) -> None:
        self._cursor = cursor
        self._writer = writer
        self._planned = tuple(kind for kind in writer.kinds if plan.counts.get(kind))
        self._parts = writer.write_parts()
        self._values = {"run_id": plan.run_id, "base": base, **writer.write_values()}
        self.counts = dict.fromkeys(writer.kinds, 0)
        self.money = Decimal(0)

    def write(self, low: int, high: int) -> dict[str, int]:
        """Write the rows with a place above `low` and up to `high`; returns the counts by kind."""
        return {kind: self._one(kind, low, high) for kind in self._planned}

    def _one(self, kind: str, low: int, high: int) -> int:
        # The first moment after the base belongs to the row that opens the run.
        done = sum(self.counts.values()) + 1
        measured = run(
            self._cursor,
            self._writer.statements,
            f"{kind}_batch",
            self._parts,
            low=low,
            high=high,
            done=done,
            **self._values,
        ).fetchone()
        assert measured is not None  # noqa: S101 - an aggregate always answers
        if measured["rows"] != measured["logged"]:
            raise Moved(
                "Not every line got its audit row; rolled back, nothing was changed.",
                next_step="See the triggers and policies of audit_logs, then plan again.",
            )
        if measured.get("changed"):
            raise Moved(
                "A trigger wrote other values than planned; rolled back, nothing was changed.",
                next_step="See the triggers of invoice_lines in the preflight.",
            )
        self.counts[kind] += measured["rows"]
        self.money += measured["money"]
        return int(measured["rows"])
