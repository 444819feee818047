"""Duplicate precheck (billing runbook, 1.2): by the database's key and by the console's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from psycopg import sql

from console.billing.requirements import read_blocked
from console.database.connect import Row, compose, run, transaction
from console.database.queries import query
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
    Severity,
    StopToken,
)
from console.text import reveal

_STEP = "See section 5.1: compare the lines and keep one of them before any upsert."
_MEANING: dict[str, tuple[Severity, str, str]] = {
    "same_key": ("error", "{live} live lines carry the same key", _STEP),
    "no_unit": ("error", "{live} live lines differ at most in an empty unit", _STEP),
    "stale_key": (
        "error",
        "{live} live lines have one key, but the stored key is missing or out of date",
        "Touch the lines so that the trigger computes their key, then check again.",
    ),
    "invisible_twin": (
        "error",
        "{live} live lines differ only in characters that cannot be seen",
        _STEP,
    ),
    "deleted_twin": (
        "warning",
        "a deleted line carries the key of a live one",
        "An upsert on this key is held back as a conflict; no need to act now.",
    ),
    "deleted_only": (
        "info",
        "{lines} deleted lines carry the same key; none of them is live",
        "An upsert on this key is held back as a conflict; no need to act now.",
    ),
}


@dataclass(frozen=True, slots=True)
class FindDuplicates(Command):
    """Look for keys that stand on several lines; `limit` groups are listed, all are counted."""

    limit: int = 1000


class DuplicatesOperation(Operation):
    """One reading of all lines in one read-only transaction."""

    name: ClassVar[str] = "duplicates"

    def __init__(self, desk: Desk, command: FindDuplicates) -> None:
        self.desk = desk
        self.command = command
        self.stop = StopToken()
        self._findings: tuple[Finding, ...] = ()

    def describe(self) -> str:
        return query("billing/duplicates", "groups").text

    def read(self) -> Iterator[Event]:
        """End with a check; `figures` has the groups by both keys, side by side."""
        schema = self.desk.refresh()
        if blocked := read_blocked(schema):
            yield Checked(Check(self.name, "not_run", blocked[0].message, blocked))
            return
        yield Progress("duplicates")
        deleted = compose("billing/staging", "is_deleted" if schema.soft_delete else "never")
        parts: dict[str, sql.Composable] = {
            "db_key": sql.Identifier(_stored_key(schema.tables["invoice_lines"])),
            "live_own_key": schema.own_key("l", "description"),
            "deleted": deleted,
        }
        seconds = self.desk.environment.statement_timeout_seconds
        with (
            self.desk.reader("duplicates") as connection,
            transaction(connection, statement_seconds=seconds) as cursor,
        ):
            self.stop.on_stop(connection.cancel_safe)
            groups = run(
                cursor, "billing/duplicates", "groups", parts, size=self.command.limit
            ).fetchall()
            by_runbook = run(cursor, "billing/duplicates", "runbook_groups").fetchone() or {}
        self.stop.forget()
        yield Checked(self._judge(groups, by_runbook["groups"]))

    def findings(self, after: int = 0, size: int = 1000) -> Sequence[Finding]:
        return self._findings[after : after + size]

    def _judge(self, groups: Sequence[Row], by_runbook: int) -> Check:
        self._findings = tuple(_finding(row) for row in groups)
        total = groups[0]["groups"] if groups else 0
        live = [row for row in groups if row["live"] > 1]
        visible = [row for row in live if _code(row) in ("same_key", "no_unit")]
        answer: Answer = "fail" if live else "warn" if groups else "pass"
        shown = f"{len(groups)} of {total}" if total > len(groups) else str(total)
        figures = {
            "groups": total,
            "live_groups": len(live),
            "groups_by_database_key": len(visible),
            "groups_by_runbook_query": by_runbook,
            "rows": [_figure(row) for row in groups],
        }
        summary = f"{shown} duplicate by the stricter key, {by_runbook} by the runbook's query"
        return Check(self.name, answer, summary, self._findings, figures)


def _stored_key(lines: object) -> str:
    names = lines if isinstance(lines, dict) else {}
    return "normalized_description" if "normalized_description" in names else "description"


def _code(row: Row) -> str:
    if row["live"] < 2:
        return "deleted_twin" if row["live"] else "deleted_only"
    if row["stale_keys"]:
        return "stale_key" if row["precheck_keys"] == 1 else "invisible_twin"
    if row["db_keys"] > 1:
        return "invisible_twin"
    return "no_unit" if row["without_unit"] else "same_key"


def _finding(row: Row) -> Finding:
    code = _code(row)
    severity, text, step = _MEANING[code]
    lines = ", ".join(
        f"{reveal(description)} {amount}{' (deleted)' if deleted else ''}"
        for description, amount, deleted in zip(
            row["descriptions"], row["amounts"], row["deleted"], strict=True
        )
    )
    message = f"{text.format(**row)}: {row['line_type']}: {lines}"
    return Finding(code, severity, message, step, record=row["invoice_id"])


def _figure(row: Row) -> Row:
    wanted = ("invoice_id", "line_type", "own_key", "lines", "live", "ids", "amounts", "deleted")
    return {
        **{name: row[name] for name in wanted},
        "kind": _code(row),
        "descriptions": [reveal(text) for text in row["descriptions"]],
        "stored_keys": [reveal(text) for text in row["stored_keys"]],
    }
