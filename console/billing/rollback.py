"""Rollback of one run (billing runbook, section 6.2): only what is still as the run left it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import psycopg
from psycopg import sql

from console.billing.requirements import rollback_blocked
from console.billing.rollback_rows import counts, finding, plan_row
from console.billing.staging import locked_fragment
from console.billing.verification import ACTIONS
from console.billing.writing import LineWriter
from console.database.connect import Row, columns, run, stopped, transaction
from console.database.queries import query
from console.desk import Desk
from console.errors import BadInput, ConsoleError, Moved
from console.operation import (
    Command,
    Event,
    Finding,
    Page,
    Plan,
    Planned,
    PlanRow,
    Progress,
)


@dataclass(frozen=True, slots=True)
class RollbackRun(Command):
    """Undo what one run did, as a run of its own.

    `restore` names the conflicts (by line id) that get the earlier value back all the same;
    `keep` names clean lines that stay as they are.
    """

    run_id: str
    new_run_id: str
    restore: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


class RollbackOperation(LineWriter):
    """Compares the run's images with the live lines and writes back what nobody touched since."""

    name: ClassVar[str] = "rollback_run"
    kinds: ClassVar[tuple[str, ...]] = ("delete", "restore", "insert")
    statements: ClassVar[str] = "billing/rollback"

    def __init__(self, desk: Desk, command: RollbackRun) -> None:
        super().__init__(desk)
        self.command = command

    @property
    def batch_size(self) -> int:
        return self.desk.settings.billing.batch_size

    def describe(self) -> str:
        """The statements that write, as they are in `sql/`."""
        return "\n\n".join(query(self.statements, f"{kind}_batch").text for kind in self.kinds)

    def plan(self) -> Iterator[Event]:
        """Tell apart what is clean, changed since, gone and protected."""
        schema = self.desk.refresh()
        self._require(rollback_blocked(schema))
        yield from self._connect("rollback")
        try:
            yield Progress("compare")
            self._create()
            self._fill()
            yield Planned(self._stand(self._planned()))
        except ConsoleError as error:
            self.close()
            raise stopped(error, self.stop.requested) from error.__cause__

    def rows(self, page: Page) -> Sequence[PlanRow]:
        with transaction(self._open_connection()) as cursor:
            found = run(
                cursor,
                self.statements,
                "page",
                after=page.after,
                size=page.size,
                kinds=list(page.kinds),
                search=page.search,
            ).fetchall()
        return [plan_row(row) for row in found]

    def findings(self, after: int = 0, size: int = 1000) -> Sequence[Finding]:
        with transaction(self._open_connection()) as cursor:
            found = run(cursor, self.statements, "conflicts", after=after, size=size).fetchall()
        return [finding(row) for row in found]

    def write_parts(self) -> Mapping[str, sql.Composable]:
        names = self.desk.schema.line_columns
        return {
            **super().write_parts(),
            "line_columns": columns(names),
            "row_columns": sql.SQL(", ").join(sql.Identifier("b", name) for name in names),
        }

    def write_values(self) -> Mapping[str, str]:
        return {"undone": self.command.run_id}

    def _create(self) -> None:
        connection = self._open_connection()
        connection.read_only = False
        with transaction(connection) as cursor:
            run(cursor, self.statements, "create_undo")
            connection.commit()
        connection.read_only = True

    def _fill(self) -> None:
        connection, path = self._open_connection(), self.statements
        command, seconds = self.command, self.desk.environment.statement_timeout_seconds
        values = {
            "actions": list(ACTIONS),
            "run_id": command.run_id,
            "restore": list(command.restore),
            "keep": list(command.keep),
        }
        with transaction(connection, statement_seconds=seconds) as cursor:
            run(cursor, path, "fill_undo", {"record": self.desk.schema.audited_record()}, **values)
            run(cursor, path, "analyze_undo")
            run(cursor, path, "protect_repeated")
            self._protect(cursor)
            self._refuse_strangers(cursor)
            run(cursor, path, "leave_protected")
            connection.commit()

    def _refuse_strangers(self, cursor: psycopg.Cursor[Row]) -> None:
        """A decision about a line that the run never touched, or that cannot be decided."""
        command = self.command
        chosen = {"restore": list(command.restore), "keep": list(command.keep)}
        found = run(cursor, self.statements, "strangers", None, **chosen).fetchall()
        if found:
            named = ", ".join(row["record"] for row in found[:5])
            raise BadInput(
                f"{len(found)} decisions name no line of run {command.run_id} that can be decided: "
                f"{named}.",
                next_step="Restore names conflicts that are changed or gone; keep names any line.",
            )

    def _protect(self, cursor: psycopg.Cursor[Row]) -> None:
        """Tell apart the lines that others count on, or that may not be written any more."""
        schema, key = self.desk.schema, self.desk.schema.description_key

        def step(name: str, parts: Mapping[str, sql.Composable], **values: str) -> None:
            self.stop.check()
            run(cursor, self.statements, name, parts, **values)

        # Read anew each time: a reference may have been created since the catalogue was read.
        for row in run(cursor, "server/preflight", "references_to_lines").fetchall():
            table = sql.Identifier(row["schema_name"], row["relation"])
            column = sql.Identifier(row["column_name"])
            step("protect_referenced", {"table": table, "column": column})
        if "merge_tombstones" in schema.tables:
            step("protect_merged", {})
        step("protect_closed", {"locked": locked_fragment(schema)})
        step("protect_orphans", {})
        step("protect_taken", {"db_key": sql.Identifier(key)}, db_key=key)

    def _planned(self) -> Plan:
        with transaction(self._open_connection(), statement_seconds=600) as cursor:
            totals = run(cursor, self.statements, "totals").fetchall()
            digest = (run(cursor, self.statements, "digest").fetchone() or {})["digest"]
        if not totals:
            raise BadInput(
                f"Run {self.command.run_id} has left no audit row in this database.",
                next_step="Check the run id and the environment: "
                + self.desk.command_line("billing", "runs"),
            )
        target, now, rules = self.desk.target, self.desk.now(), self.desk.settings.billing
        facts = (target.server_id, self.name, repr(self.command), digest)
        money = sum((row["money"] for row in totals), Decimal(0))
        return Plan(
            operation=self.name,
            title=f"Rollback of run {self.command.run_id}",
            target=target,
            run_id=self.command.new_run_id,
            digest=hashlib.sha256("\n".join(facts).encode()).hexdigest(),
            counts=counts(totals),
            money={rules.currency: money.quantize(Decimal("0.01"))},
            rows_written=sum(row["rows"] for row in totals if row["chosen"]),
            created_at=now,
            expires_at=now + timedelta(minutes=rules.plan_minutes),
            undo=self.desk.command_line("billing", "rollback", "--run-id", self.command.new_run_id),
            findings=tuple(self.findings(0, 100)),
            finding_count=sum(
                row["rows"] for row in totals if row["class"] not in ("clean", "done")
            ),
            blocked=self._refuse_used_run_id(self.command.new_run_id),
            undoes=self.command.run_id,
            notes=("Invoice totals (gesamtbetrag) are not recalculated by a rollback.",),
        )

    def _lock(self, cursor: psycopg.Cursor[Row]) -> None:
        run(cursor, self.statements, "lock_invoices")
        run(cursor, self.statements, "lock_lines")
        self._protect(cursor)
        stale = run(cursor, self.statements, "stale", size=100).fetchall()
        if stale:
            findings = [
                Finding("stale", "error", "the line has moved since the plan", "Plan again.",
                        row["record"])
                for row in stale
            ]  # fmt: skip
            raise Moved(findings=findings, next_step="Plan again.")
