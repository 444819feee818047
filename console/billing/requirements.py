"""What the billing operations need of a database, and why one is disabled where it is missing."""

from __future__ import annotations

from collections.abc import Iterator

from console.database.preflight import Need
from console.database.schema import Schema
from console.operation import Finding

_WRITES = (
    ("invoice_lines", "INSERT"),
    ("invoice_lines", "UPDATE"),
    ("invoice_lines", "DELETE"),
    ("audit_logs", "INSERT"),
    # Locking an invoice needs the right to update it.
    ("monthly_invoices", "UPDATE"),
)
# The columns that the statements name; where a type is given, any other would be misread.
_READS: dict[str, dict[str, str]] = {
    "monthly_invoices": {
        "id": "uuid",
        "unit_id": "uuid",
        "tenant_id": "uuid",
        "year": "",
        "month": "",
        "status": "",
    },
    "invoice_lines": {
        "id": "uuid",
        "invoice_id": "uuid",
        "unit_id": "uuid",
        "line_type": "",
        "description": "",
        "amount": "numeric",
        "tax_rate": "integer",
        "meta": "jsonb",
        "created_at": "",
    },
    "audit_logs": {
        "action": "",
        "record_id": "",
        "old_data": "jsonb",
        "new_data": "jsonb",
        "created_at": "",
    },
    "units": {"id": "uuid"},
}


def _missing(code: str, message: str, next_step: str) -> Finding:
    return Finding(code, "error", message, next_step)


def read_blocked(schema: Schema) -> tuple[Finding, ...]:
    """Why nothing of the billing runbook can even be read; empty where it can."""
    found = [
        _missing("table", f"There is no table {name}.", "Check the database and the search_path.")
        for name in _READS
        if name not in schema.tables
    ]
    found += _misfits(schema)
    if schema.server["encoding"] != "UTF8":
        found.append(
            _missing(
                "encoding",
                f"The database's encoding is {schema.server['encoding']}; keys need UTF8.",
                "Use a UTF8 database.",
            )
        )
    found += [
        _missing("right", f"The role may not read {name}.", "Have SELECT granted on it.")
        for name in _READS
        if name in schema.tables and (name, "SELECT") not in schema.rights
    ]
    return tuple(found)


def _misfits(schema: Schema) -> Iterator[Finding]:
    """The columns that are missing or of another type than the statements take them for."""
    step = "Have the schema migrated, or name the right database."
    for table, wanted in _READS.items():
        columns = schema.tables.get(table)
        for name, kind in wanted.items() if columns is not None else ():
            column = (columns or {}).get(name)
            if column is None:
                yield _missing("column", f"The table {table} has no column {name}.", step)
            elif not column.type.startswith(kind):
                message = f"The column {table}.{name} is {column.type}, not {kind}."
                yield _missing("column_type", message, step)


def upsert_blocked(schema: Schema) -> tuple[Finding, ...]:
    """Why lines cannot be upserted here; empty where they can."""
    return (*read_blocked(schema), *write_blocked(schema), *_key_blocked(schema))


def write_blocked(schema: Schema) -> tuple[Finding, ...]:
    """Why nothing can be written here; empty where it can."""
    found = []
    if schema.server["in_recovery"]:
        found.append(
            _missing(
                "standby", "The server is a standby; it cannot be written.", "Use the primary."
            )
        )
    if schema.pooled:
        found.append(
            _missing(
                "pooled",
                "A transaction pooler stands in between; temporary tables do not survive there.",
                "Connect to the server directly.",
            )
        )
    if not schema.server["may_stage"]:
        found.append(
            _missing(
                "right", "The role may not create temporary tables.", "Have TEMPORARY granted."
            )
        )
    found += [
        _missing("right", f"The role may not {right} on {table}.", f"Have {right} granted on it.")
        for table, right in _WRITES
        if table in schema.tables and (table, right) not in schema.rights
    ]
    return tuple(found)


def _key_blocked(schema: Schema) -> tuple[Finding, ...]:
    found = []
    if schema.tables.get("invoice_lines") and schema.line_key is None:
        broken = ", ".join(schema.invalid_indexes)
        found.append(
            _missing(
                "unique_index",
                f"The unique index on the key is invalid ({broken}): duplicates would pass."
                if broken
                else "There is no valid unique index on (invoice_id, unit_id, line_type, "
                "normalized_description).",
                "Drop and rebuild it as in section 2.2, after the duplicate precheck is empty.",
            )
        )
    found += [
        _missing(
            "trigger",
            f"Trigger {trigger.name} has conditions or arguments, so its key cannot be previewed.",
            "Have the trigger simplified, or load the lines by the site's own tool.",
        )
        for trigger in schema.triggers
        if trigger.conditional or not trigger.executable
    ]
    return tuple(found)


def rollback_blocked(schema: Schema) -> tuple[Finding, ...]:
    """Why no run can be rolled back here; empty where one can."""
    return (*read_blocked(schema), *write_blocked(schema))


REQUIREMENTS = {
    "duplicates": Need(read_blocked),
    "upsert_missing_lines": Need(upsert_blocked, writes=True),
    "verify_run": Need(read_blocked),
    "rollback_run": Need(rollback_blocked, writes=True),
}
