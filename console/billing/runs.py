"""The runs that the console's ledger knows, and those of the older tools beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from console.database.connect import Row, run, transaction
from console.database.queries import query
from console.desk import Desk
from console.operation import Answer, Check, Checked, Command, Event, Operation, StopToken


@dataclass(frozen=True, slots=True)
class ListRuns(Command):
    """List the newest runs."""

    limit: int = 200


class RunsOperation(Operation):
    """Reads the ledger and, where it exists, `reconcile_runs`."""

    name: ClassVar[str] = "runs"

    def __init__(self, desk: Desk, command: ListRuns) -> None:
        self.desk = desk
        self.command = command
        self.stop = StopToken()

    def describe(self) -> str:
        return query("server/ledger", "recent").text

    def read(self) -> Iterator[Event]:
        """End with a check whose `figures` hold the rows, newest first."""
        schema = self.desk.refresh()
        if schema.ledger_closed:
            yield Checked(Check(self.name, "not_run", schema.ledger_fault))
            return
        rows: list[Row] = []
        with self.desk.reader("runs") as connection, transaction(connection) as cursor:
            if schema.ledger:
                rows += run(
                    cursor, "server/ledger", "recent", before=None, size=self.command.limit
                ).fetchall()
            if "reconcile_runs" in schema.tables:
                older = run(
                    cursor, "billing/runs", "reconcile_runs", size=self.command.limit
                ).fetchall()
                rows += [_older(row) for row in older]
        rows.sort(key=lambda row: row["marked_at"], reverse=True)
        known = schema.ledger or "reconcile_runs" in schema.tables
        answer: Answer = "pass" if known else "not_run"
        summary = f"runs: {len(rows)}" if known else "no ledger and no reconcile_runs"
        figures = {"rows": rows[: self.command.limit]}
        yield Checked(Check(self.name, answer, summary, figures=figures))


def _older(row: Row) -> Row:
    return {
        "run_id": row["run_id"],
        "verdict": row["status"],
        "operation": "older tool",
        "counts": {"insert": row["inserted"] or 0, "update": row["updated"] or 0},
        "money": {},
        "undoes": None,
        "retry_of": None,
        "operator": "",
        "marked_at": row["created_at"],
    }
