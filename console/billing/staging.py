"""A file of lines taken into temporary tables and compared there with the live lines.

Only temporary tables are written, and all but their creation happens in transactions that the
server itself holds read-only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

import psycopg
from psycopg import sql

from console.billing.line_findings import finding
from console.billing.lines_file import LinesFile
from console.database.connect import Connection, Row, columns, compose, run, transaction
from console.database.schema import Schema
from console.errors import BadInput
from console.operation import Event, Finding, Page, PlanRow, Progress, StopToken
from console.settings import Billing

VISIBLE = (
    "[^\\u0001-\\u0020\\u007f-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f"
    "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0"
    "\\U000e0000-\\U000e0fff]"
)


# Bytes of a description that still fit an entry of the unique index, 2704 with all its columns.
LONGEST = 2500


class Staging:
    """The temporary tables of one planned upsert, on their own connection.

    `seconds` bounds each statement.
    """

    def __init__(
        self,
        connection: Connection,
        schema: Schema,
        rules: Billing,
        *,
        seconds: int,
        stop: StopToken,
    ) -> None:
        self.connection = connection
        self.schema = schema
        self._rules = rules
        self._seconds = seconds
        self._stop = stop
        self.fingerprint = ""
        self._records = 0
        key = sql.Identifier(schema.description_key)
        self.parts: dict[str, sql.Composable] = {
            "db_key": key,
            "probe_key": key,
            "own_key": schema.own_key("s", "description"),
            "live_own_key": schema.own_key("l", "description"),
            "deleted": compose("billing/staging", "is_deleted" if schema.soft_delete else "never"),
            "locked": locked_fragment(schema),
            "valid_invoice": schema.valid_uuid(sql.Identifier("s", "invoice_id")),
            "valid_unit": schema.valid_uuid(sql.Identifier("s", "unit_id")),
            "valid_tenant": schema.valid_uuid(sql.Identifier("s", "tenant_id")),
        }

    def create(self) -> None:
        """Make the temporary tables; the only step that is not read-only."""
        self.connection.read_only = False
        with transaction(self.connection) as cursor:
            run(cursor, "server/transaction", "room_for_temporary_tables")
            for name in ("create_staged", "create_probe", "create_problems", "create_plan"):
                run(cursor, "billing/staging", name)
            for position, trigger in enumerate(self.schema.triggers):
                parts = {
                    "name": sql.Identifier(f"ops_probe_{position:02d}"),
                    "function": sql.Identifier(*trigger.function),
                }
                run(cursor, "billing/staging", "create_probe_trigger", parts)
            self.connection.commit()
        self.connection.read_only = True

    def fill(self, file: LinesFile, lines: Sequence[int]) -> Iterator[Event]:
        """Stream the file, find every bad record, and compare the rest with the live lines.

        `lines` leaves all other lines of the file out of the plan; empty means none.
        """
        with transaction(self.connection, statement_seconds=self._seconds) as cursor:
            yield from self._copy(cursor, file)
            yield Progress("validate")
            self._validate(cursor, file)
            self.connection.commit()
        yield Progress("compare")
        with self._snapshot() as cursor:
            self._compare(cursor, lines)
            self.connection.commit()

    @contextmanager
    def _snapshot(self) -> Iterator[psycopg.Cursor[Row]]:
        """A transaction of one snapshot, so that images and fingerprint are of the same moment."""
        self.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        try:
            with transaction(self.connection, statement_seconds=self._seconds) as cursor:
                yield cursor
        finally:
            if not self.connection.closed:
                self.connection.isolation_level = None

    def _copy(self, cursor: psycopg.Cursor[Row], file: LinesFile) -> Iterator[Event]:
        header = {"header": columns(file.header)}
        with cursor.copy(compose("billing/staging", "copy_staged", header)) as copy:
            for read, block in file.blocks():
                self._stop.check()
                for record in block:
                    copy.write_row(record)
                yield Progress("read", read, file.size, "bytes")
        self._records = cursor.rowcount
        yield Progress("read", file.size, file.size, "bytes")

    def _validate(self, cursor: psycopg.Cursor[Row], file: LinesFile) -> None:
        if file.by_tenant:
            run(cursor, "billing/staging", "tenants_unread", self.parts)
            run(cursor, "billing/staging", "resolve_tenants", self.parts)
        run(
            cursor,
            "billing/staging",
            "find_text_problems",
            self.parts,
            visible=VISIBLE,
            amount=f"^{self._amount_pattern()}$",
            longest=LONGEST,
            by_tenant=file.by_tenant,
            line_types=list(self._rules.line_types),
            tax_rates=[str(rate) for rate in self._rules.tax_rates],
        )
        self._stop.check()
        faulty = _one(run(cursor, "billing/staging", "faulty_records"))["records"]
        taken = run(cursor, "billing/staging", "fill_probe", self.parts).rowcount
        run(cursor, "billing/staging", "analyze_probe")
        if faulty + taken < self._records:
            run(cursor, "billing/staging", "find_discarded")
        run(cursor, "billing/staging", "find_invoice_problems", self.parts)
        for key_column in (self.schema.description_key, "ops_own"):
            parts = {"probe_key": sql.Identifier(key_column)}
            run(cursor, "billing/staging", "find_repeats", parts)

    def _compare(self, cursor: psycopg.Cursor[Row], lines: Sequence[int]) -> None:
        self._stop.check()
        run(cursor, "billing/plan", "fill_plan", self.parts)
        run(cursor, "billing/plan", "add_unread")
        run(cursor, "billing/plan", "list_conflicts")
        if lines:
            self._narrow(cursor, list(lines))
        run(cursor, "billing/staging", "analyze_plan")
        self.fingerprint = self.read_fingerprint(cursor)

    def _narrow(self, cursor: psycopg.Cursor[Row], lines: list[int]) -> None:
        unknown = run(cursor, "billing/plan", "unknown_lines", lines=lines).fetchall()
        if unknown:
            named = ", ".join(str(row["line"]) for row in unknown)
            raise BadInput(
                f"The selection names lines that are no record of the file: {named}.",
                next_step="Select by the line numbers that the plan shows.",
            )
        run(cursor, "billing/plan", "narrow", lines=lines)

    def measure(self) -> tuple[dict[str, int], Decimal, str, Row, int]:
        """Counts by kind, the money moved, the digest of the rows, what is touched, findings."""
        with transaction(self.connection, statement_seconds=self._seconds) as cursor:
            totals = run(cursor, "billing/plan", "totals").fetchall()
            digest = _one(run(cursor, "billing/plan", "digest"))["digest"]
            touched = _one(run(cursor, "billing/plan", "touched"))
            found = _one(run(cursor, "billing/plan", "finding_count"))["findings"]
        counts = {row["kind"]: row["rows"] for row in totals}
        money = sum((row["money"] for row in totals), Decimal(0))
        return counts, money, digest, touched, found

    def read_fingerprint(self, cursor: psycopg.Cursor[Row]) -> str:
        """One text over the versions of all lines of the touched invoices."""
        row = _one(run(cursor, "billing/plan", "fingerprint"))
        return f"{row['lines']}:{row['sum']}"

    def rows(self, page: Page) -> list[PlanRow]:
        """One page of the plan by the place in the file."""
        with transaction(self.connection) as cursor:
            found = run(
                cursor,
                "billing/plan",
                "page",
                after=page.after,
                size=page.size,
                kinds=list(page.kinds),
                search=page.search,
            ).fetchall()
        return [_plan_row(row) for row in found]

    def findings(self, after: int, size: int) -> list[Finding]:
        """Findings, those a human must decide first, then by line."""
        with transaction(self.connection) as cursor:
            found = run(cursor, "billing/plan", "findings", after=after, size=size).fetchall()
        return [finding(row, self._rules) for row in found]

    def _amount_pattern(self) -> str:
        column = self.schema.tables["invoice_lines"]["amount"]
        scale = column.scale if column.scale is not None else 2
        whole = (column.precision or 12) - scale
        return f"-?[0-9]{{1,{whole}}}([.][0-9]{{1,{min(scale, 2)}}})?"


def plan_digest(file: LinesFile, rows: str, *facts: str) -> str:
    """The plan's digest: over the file's bytes, the rows it does not decide, and the facts."""
    return hashlib.sha256("\n".join((file.sha256, rows, *facts)).encode()).hexdigest()


def locked_fragment(schema: Schema) -> sql.Composed:
    """The condition that an invoice `m` lies in a locked month, as far as the schema knows any."""
    needed = {"organization_id", "year", "month", "is_locked"}
    periods, units = schema.tables.get("booking_periods", {}), schema.tables.get("units", {})
    properties = schema.tables.get("properties", {})
    fits = needed <= set(periods) and "property_id" in units and "organization_id" in properties
    return compose("billing/staging", "locked_period" if fits else "never")


def _plan_row(row: Row) -> PlanRow:
    after = row["after"]
    return PlanRow(
        number=row["n"],
        key=str(row["line"]),
        operation=row["kind"],
        before=row["before"],
        after=after,
        reason=row["code"] or "",
        selected=row["kind"] in ("insert", "update"),
        line=row["line"],
    )


def _one(cursor: psycopg.Cursor[Row]) -> Row:
    row = cursor.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always answers
    return row
