"""Upsert of missing invoice lines (billing runbook, section 3): one file, one plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import psycopg

from console.billing.lines_file import LinesFile, open_lines_file
from console.billing.requirements import upsert_blocked
from console.billing.staging import Staging, plan_digest
from console.billing.writing import LineWriter
from console.database.connect import Row, run, stopped
from console.database.queries import query
from console.desk import Desk
from console.errors import ConsoleError, Moved
from console.operation import Command, Event, Finding, Page, Plan, Planned, PlanRow

WRITTEN = ("insert", "update")


@dataclass(frozen=True, slots=True)
class UpsertMissingLines(Command):
    """Write the lines of a file: new ones inserted, differing ones updated, equal ones left alone.

    `lines` narrows it to some lines of the file; empty means all. `retry_of` links the run to the
    one that it tries again.
    """

    csv: Path
    run_id: str
    batch_size: int = 50_000
    lines: tuple[int, ...] = ()
    retry_of: str = ""


class UpsertOperation(LineWriter):
    """Stages the file in temporary tables, compares it with the live lines, and writes the rest."""

    name: ClassVar[str] = "upsert_missing_lines"
    kinds: ClassVar[tuple[str, ...]] = WRITTEN
    statements: ClassVar[str] = "billing/apply"

    def __init__(self, desk: Desk, command: UpsertMissingLines) -> None:
        super().__init__(desk)
        self.command = command
        self._staging: Staging | None = None

    @property
    def batch_size(self) -> int:
        return self.command.batch_size

    def describe(self) -> str:
        """The statements that write, as they are in `sql/`."""
        return "\n\n".join(query(self.statements, f"{kind}_batch").text for kind in self.kinds)

    def plan(self) -> Iterator[Event]:
        """Read the file, find every bad record, compare the rest with the live lines."""
        file = open_lines_file(self.command.csv)
        schema = self.desk.refresh()
        self._require(upsert_blocked(schema))
        yield from self._connect("upsert")
        self._staging = Staging(
            self._open_connection(),
            schema,
            self.desk.settings.billing,
            seconds=self.desk.environment.statement_timeout_seconds,
            stop=self.stop,
        )
        try:
            self._staging.create()
            yield from self._staging.fill(file, self.command.lines)
            yield Planned(self._stand(self._planned(file)))
        except ConsoleError as error:
            self.close()
            raise stopped(error, self.stop.requested) from error.__cause__

    def rows(self, page: Page) -> Sequence[PlanRow]:
        return self._staged().rows(page)

    def findings(self, after: int = 0, size: int = 1000) -> Sequence[Finding]:
        return self._staged().findings(after, size)

    def _staged(self) -> Staging:
        self._open_connection()
        assert self._staging is not None  # noqa: S101 - made with the connection
        return self._staging

    def _planned(self, file: LinesFile) -> Plan:
        counts, money, rows, touched, found = self._staged().measure()
        target, now = self.desk.target, self.desk.now()
        rules = self.desk.settings.billing
        facts = (target.server_id, self.name, self.command.run_id, repr(self.command.lines))
        return Plan(
            operation=self.name,
            title=f"Upsert of {file.path.name}",
            target=target,
            run_id=self.command.run_id,
            digest=plan_digest(file, rows, *facts),
            counts=counts,
            money={rules.currency: money.quantize(Decimal("0.01"))},
            rows_written=sum(counts.get(kind, 0) for kind in WRITTEN),
            created_at=now,
            expires_at=now + timedelta(minutes=rules.plan_minutes),
            undo=self.desk.command_line("billing", "rollback", "--run-id", self.command.run_id),
            findings=tuple(self.findings(0, 100)),
            finding_count=found,
            blocked=self._refuse_used_run_id(self.command.run_id),
            notes=self._notes(file, touched),
            retry_of=self.command.retry_of,
        )

    def _notes(self, file: LinesFile, touched: Row) -> tuple[str, ...]:
        notes = []
        if not self.desk.schema.ledger and not self.desk.schema.ledger_fault:
            notes.append("The schema ops_console is created first, once, in its own transaction.")
        if file.encoding == "cp1252":
            notes.append("The file is not UTF-8; it is read as Windows-1252.")
        if touched["paid"]:
            notes.append(
                f"{touched['paid']} of {touched['invoices']} touched invoices are already paid."
            )
        if touched["invoices"]:
            notes.append("Invoice totals (gesamtbetrag) are not recalculated by an upsert.")
        return tuple(notes)

    def _lock(self, cursor: psycopg.Cursor[Row]) -> None:
        staging = self._staged()
        run(cursor, "billing/apply", "lock_invoices")
        run(cursor, "billing/apply", "lock_lines")
        parts = staging.parts
        found = [
            Finding("closed", "error", "the invoice was cancelled or its month locked meanwhile",
                    "Plan again.", row["invoice_id"])
            for row in run(cursor, "billing/apply", "closed_meanwhile", parts, size=100)
        ]  # fmt: skip
        if staging.read_fingerprint(cursor) != staging.fingerprint:
            found += [
                Finding("stale", "error", f"line {row['line']}: the data has moved since the plan",
                        "Plan again.", row["line_id"] or "", row["line"])
                for row in run(cursor, "billing/apply", "stale", parts, size=100)
            ]  # fmt: skip
        if found:
            raise Moved(findings=found, next_step="Plan again.")
