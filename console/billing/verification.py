"""Verification of a run (billing runbook, 4.1 and 4.2), by another path than the change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import psycopg
from psycopg import sql

from console.billing.requirements import read_blocked
from console.database.connect import Row, compose, run, transaction
from console.database.queries import query
from console.database.schema import Schema
from console.desk import Desk
from console.operation import (
    Answer,
    Check,
    Checked,
    Command,
    Event,
    Finding,
    Operation,
    Progress,
    StopToken,
)

KINDS = ("insert", "update", "delete", "restore")
ACTIONS = ("upsert_missing_lines", "rollback_missing_lines")


@dataclass(frozen=True, slots=True)
class VerifyRun(Command):
    """Verify what one run left behind."""

    run_id: str


@dataclass(frozen=True, slots=True)
class ShowAuditTrail(Command):
    """Count one run's audit rows, as the runbook's table."""

    run_id: str


def audit_trail(desk: Desk, run_id: str) -> list[Row]:
    """Count a run's audit rows by action and operation."""
    seconds = desk.environment.statement_timeout_seconds
    with (
        desk.reader("verify") as connection,
        transaction(connection, statement_seconds=seconds) as cursor,
    ):
        return run(
            cursor, "billing/verification", "audit_trail", actions=list(ACTIONS), run_id=run_id
        ).fetchall()


def run_images(cursor: psycopg.Cursor[Row], schema: Schema, run_id: str) -> Row:
    """Compare a run's after-images with the live lines, and count them by operation."""
    parts = {"record": schema.audited_record()}
    path = "billing/verification"
    found = run(cursor, path, "run_images", parts, actions=list(ACTIONS), run_id=run_id).fetchone()
    assert found is not None  # noqa: S101 - an aggregate always answers
    return found


class AuditTrailOperation(Operation):
    """The runbook's table of audit rows (section 4.2); no row at all is not green."""

    name: ClassVar[str] = "audit_trail"

    def __init__(self, desk: Desk, command: ShowAuditTrail) -> None:
        self.desk = desk
        self.command = command
        self.stop = StopToken()

    def describe(self) -> str:
        return query("billing/verification", "audit_trail").text

    def read(self) -> Iterator[Event]:
        rows = audit_trail(self.desk, self.command.run_id)
        answer: Answer = "pass" if rows else "not_run"
        summary = f"{sum(row['cnt'] for row in rows)} audit rows" if rows else "no audit row"
        yield Checked(Check(self.name, answer, summary, figures={"rows": rows}))


class VerifyRunOperation(Operation):
    """Counts, money in integer cents, images against live lines, and duplicates."""

    name: ClassVar[str] = "verify_run"

    def __init__(self, desk: Desk, command: VerifyRun) -> None:
        self.desk = desk
        self.command = command
        self.stop = StopToken()

    def describe(self) -> str:
        return "\n\n".join(
            query("billing/verification", name).text
            for name in ("total_lines", "duplicate_groups", "run_images")
        )

    def read(self) -> Iterator[Event]:
        """End with a check that is green only when every part of it was measured and fits."""
        schema = self.desk.schema
        if blocked := read_blocked(schema):
            yield Checked(Check(self.name, "not_run", blocked[0].message, blocked))
            return
        yield Progress("verify")
        seconds = self.desk.environment.statement_timeout_seconds
        with (
            self.desk.reader("verify") as connection,
            transaction(connection, statement_seconds=seconds) as cursor,
        ):
            figures = self._measure(cursor, schema)
        yield Checked(judge(self.command.run_id, figures))

    def _measure(self, cursor: psycopg.Cursor[Row], schema: Schema) -> dict[str, Any]:
        parts: dict[str, sql.Composable] = {
            "deleted": compose("billing/staging", "is_deleted" if schema.soft_delete else "never"),
            "db_key": sql.Identifier(schema.description_key),
        }
        path, run_id = "billing/verification", self.command.run_id
        images = run_images(cursor, schema, run_id)
        total = run(cursor, path, "total_lines", parts).fetchone() or {}
        groups = run(cursor, path, "duplicate_groups", parts).fetchone() or {}
        ledger = None
        if schema.ledger:
            ledger = run(cursor, "server/ledger", "verdict", run_id=run_id).fetchone()
        return {**total, "duplicate_groups": groups["groups"], "images": images, "ledger": ledger}


def judge(run_id: str, figures: dict[str, Any]) -> Check:
    """Turn the measured figures into a check."""
    images, ledger = figures["images"], figures["ledger"]
    entries, money = images["entries"], Decimal(images["cents"]) / 100
    shown = {
        "run_id": run_id,
        "total_lines": figures["total_lines"],
        "duplicate_groups": figures["duplicate_groups"],
        "audit_rows": {kind: images[kind] for kind in KINDS if images[kind]},
        "as_written": images["as_written"],
        "money": f"{money:.2f}",
    }
    if not entries and not (ledger and ledger["verdict"] == "applied"):
        return Check("verify_run", "not_run", f"Run {run_id} has left no trace.", figures=shown)
    findings = tuple(_findings(figures, entries, money))
    worst: Answer = "fail" if any(f.severity == "error" for f in findings) else "warn"
    summary = f"{entries} rows, {money:.2f} in all, {figures['duplicate_groups']} duplicate groups"
    return Check("verify_run", worst if findings else "pass", summary, findings, shown)


def _findings(figures: dict[str, Any], entries: int, money: Decimal) -> Iterator[Finding]:
    ledger, images = figures["ledger"], figures["images"]
    if figures["duplicate_groups"]:
        yield Finding(
            "duplicates",
            "error",
            f"{figures['duplicate_groups']} keys stand on more than one live line",
            "See the duplicate precheck (section 5.1).",
        )
    if ledger is None:
        yield Finding(
            "no_ledger",
            "warning",
            "the run is not in the console's ledger; it was made by another tool",
            "Its counts cannot be compared with a plan.",
        )
    else:
        yield from _against_plan(ledger, entries, money)
    if without := images["without_image"]:
        yield Finding(
            "no_image",
            "warning",
            f"{without} audit rows hold no complete image, so they prove little",
            "They come from the older tool; compare them by hand.",
        )
    moved = entries - without - images["as_written"]
    if moved > 0:
        yield Finding(
            "changed_since",
            "warning",
            f"{moved} lines are no longer as the run wrote them",
            "They were changed since; a rollback will list them as conflicts.",
        )


def _against_plan(ledger: Row, entries: int, money: Decimal) -> Iterator[Finding]:
    planned = sum(ledger["counts"].get(kind, 0) for kind in KINDS)
    promised = sum((Decimal(value) for value in ledger["money"].values()), Decimal(0))
    if planned != entries:
        yield Finding(
            "count",
            "error",
            f"{entries} audit rows, planned {planned}",
            "Escalate: rows are missing.",
        )
    if promised != money:
        yield Finding(
            "money",
            "error",
            f"{money:.2f} by audit, planned {promised:.2f}",
            "Escalate to Finance.",
        )
