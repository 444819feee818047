"""What the server says of itself and of the tables: read, never assumed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from console.database.connect import (
    Connection,
    Row,
    columns,
    compose,
    database_errors,
    run,
    transaction,
)

TABLES = (
    "monthly_invoices",
    "invoice_lines",
    "audit_logs",
    "units",
    "properties",
    "booking_periods",
    "merge_tombstones",
    "reconcile_runs",
    "billing_runs",
)
AUDIT_COLUMNS = (
    "action",
    "table_name",
    "record_id",
    "old_data",
    "new_data",
    "created_at",
    "run_id",
)
KEY_HEAD = ("invoice_id", "unit_id", "line_type")


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the catalogue describes it."""

    name: str
    type: str
    nullable: bool
    has_default: bool
    generated: bool
    identity: bool
    precision: int | None
    scale: int | None


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """A unique index of invoice_lines and whether the server uses it."""

    name: str
    columns: tuple[str, ...]
    valid: bool
    plain: bool


@dataclass(frozen=True, slots=True)
class Trigger:
    """A row trigger that runs before a line is inserted."""

    name: str
    function: tuple[str, str]
    conditional: bool
    executable: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """One reading of the catalogue."""

    server: Row
    pooled: bool
    tables: Mapping[str, Mapping[str, Column]]
    enum_labels: tuple[str, ...]
    unique_indexes: tuple[UniqueIndex, ...]
    invalid_indexes: tuple[str, ...]
    triggers: tuple[Trigger, ...]
    audit_triggers: tuple[str, ...]
    rights: frozenset[tuple[str, str]]
    collations: tuple[str, ...]
    ledger: bool
    ledger_closed: bool = False
    late_triggers: tuple[str, ...] = ()

    @property
    def server_id(self) -> str:
        """The cluster's own identifier with the database's, so that a copy has another one."""
        return f"{self.server['system_id']}/{self.server['database_oid']}"

    @property
    def line_key(self) -> UniqueIndex | None:
        """The valid unique index on the runbook's key, whatever its name."""
        return next((i for i in self.unique_indexes if i.valid and self._is_key(i)), None)

    @property
    def description_key(self) -> str:
        """The column that stands for the description in the database's key."""
        key = self.line_key
        return key.columns[-1] if key else "normalized_description"

    @property
    def soft_delete(self) -> bool:
        return "deleted_at" in self.tables.get("invoice_lines", {})

    @property
    def ledger_fault(self) -> str:
        """Why no run can be entered in the console's ledger; empty where one can."""
        role = self.server["role"]
        if self.ledger_closed:
            return f"The role {role} may not use the schema ops_console. {_by_owner('--to', role)}"
        if self.ledger or self.server["may_create_schema"]:
            return ""
        remedy = _by_owner("--ledger", "--to", role)
        return f"The schema ops_console is missing, and {role} may not create it. {remedy}"

    @property
    def audit_columns(self) -> tuple[str, ...]:
        """The columns of an audit row that this generation of the table has."""
        return tuple(c for c in AUDIT_COLUMNS if c in self.tables.get("audit_logs", {}))

    @property
    def line_columns(self) -> tuple[str, ...]:
        """The columns of invoice_lines that can be written."""
        lines = self.tables.get("invoice_lines", {})
        return tuple(name for name, column in lines.items() if not column.generated)

    def own_key(self, *path: str) -> sql.Composed:
        """The console's own description key as an expression over a column."""
        collation = self.collations[0] if self.collations else "default"
        return compose(
            "fragments/line_key",
            "line_key",
            {
                "text": sql.Identifier(*path),
                "collation": sql.Identifier("pg_catalog", collation),
            },
        )

    def valid_uuid(self, text: sql.Composable) -> sql.Composed:
        """The condition that a text is a UUID, in the fastest form this server has."""
        by_type = self.server["version"] >= 160000
        name = "valid_uuid" if by_type else "valid_uuid_by_pattern"
        return compose("fragments/uuid", name, {"text": text})

    def audited_record(self) -> sql.Composed:
        """The record id of an audit row as a UUID, or NULL where it is none."""
        column = self.tables.get("audit_logs", {}).get("record_id")
        if column is not None and column.type == "uuid":
            return compose("fragments/uuid", "record_id")
        text = compose("fragments/uuid", "record_id")
        return compose("fragments/uuid", "record_id_if_uuid", {"valid": self.valid_uuid(text)})

    def _is_key(self, index: UniqueIndex) -> bool:
        tail = {"normalized_description", "description"}
        return (
            index.plain
            and len(index.columns) == 4
            and index.columns[:3] == KEY_HEAD
            and index.columns[3] in tail
        )


def _by_owner(*options: str) -> str:
    command = shlex.join(["ops-console", "roles", *options])
    return f"Have an owner run the SQL that this prints: {command}"


def read_schema(connection: Connection) -> Schema:
    """Read the catalogue in one transaction."""
    with transaction(connection) as cursor:

        def rows(name: str, **values: list[str]) -> list[Row]:
            return run(cursor, "server/preflight", name, None, **values).fetchall()

        server, ledger = rows("identity")[0], rows("ledger_exists")[0]
        return Schema(
            server=server,
            pooled=server["pid"] != connection.info.backend_pid,
            tables=_tables(rows("columns", tables=list(TABLES))),
            enum_labels=tuple(row["label"] for row in rows("enum_labels")),
            unique_indexes=tuple(_index(row) for row in rows("unique_indexes")),
            invalid_indexes=tuple(row["name"] for row in rows("invalid_indexes")),
            triggers=tuple(_trigger(row) for row in rows("line_triggers")),
            audit_triggers=tuple(row["name"] for row in rows("audit_triggers")),
            rights=frozenset(
                (row["table_name"], row["privilege"]) for row in rows("rights", tables=list(TABLES))
            ),
            collations=tuple(row["name"] for row in rows("collations")),
            ledger=ledger["usable"],
            ledger_closed=ledger["present"] and not ledger["usable"],
            late_triggers=tuple(row["name"] for row in rows("late_triggers")),
        )


def probe_audit(connection: Connection, schema: Schema) -> None:
    """Write one audit row and roll it back; the error says why none can be written."""
    parts = {"columns": columns(schema.audit_columns)}
    with transaction(connection, statement_seconds=10) as cursor, database_errors():
        run(cursor, "server/preflight", "probe_audit", parts)


def _tables(rows: list[Row]) -> dict[str, dict[str, Column]]:
    tables: dict[str, dict[str, Column]] = {}
    for row in rows:
        tables.setdefault(row["table_name"], {})[row["column_name"]] = Column(
            row["column_name"],
            row["type"],
            row["nullable"],
            row["has_default"],
            row["generated"],
            row["identity"],
            row["precision"],
            row["scale"],
        )
    return tables


def _index(row: Row) -> UniqueIndex:
    plain = not row["partial"] and not row["expressions"]
    return UniqueIndex(row["name"], tuple(row["columns"] or ()), row["valid"], plain)


def _trigger(row: Row) -> Trigger:
    return Trigger(
        row["name"],
        (row["function_schema"], row["function_name"]),
        row["conditional"],
        row["executable"],
    )
