"""Preflight: what this database is, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

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

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Need:
    """What an operation needs of a database: why it is disabled, and whether it writes."""

    reasons: Callable[[Schema], tuple[Finding, ...]]
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Preflight(Command):
    """Read the catalogue and say what is possible.

    `requirements` names what each operation needs, by operation.
    """

    requirements: Mapping[str, Need]


class PreflightOperation(Operation):
    """One reading of the catalogue and one audit row that is rolled back."""

    name: ClassVar[str] = "preflight"

    def __init__(self, desk: Desk, command: Preflight) -> None:
        self.desk = desk
        # Not kept as `command`: functions cannot be logged.
        self._requirements = command.requirements
        self.stop = StopToken()

    def describe(self) -> str:
        return "\n\n".join(
            query("server/preflight", name).text
            for name in ("identity", "unique_indexes", "line_triggers", "probe_audit")
        )

    def read(self) -> Iterator[Event]:
        """End with a check whose `figures` say why each disabled operation is disabled."""
        yield Progress("preflight")
        schema = self.desk.refresh()
        probe = self._audit(schema)
        disabled = {
            name: [*(f.message for f in need.reasons(schema)), *_stops(self.desk, probe, need)]
            for name, need in self._requirements.items()
        }
        missing = _unique(self._requirements, schema)
        findings = (*missing, *probe, *remarks(schema, self.desk))
        answer: Answer = "warn" if findings else "pass"
        if any(f.severity == "error" for f in findings):
            answer = "fail"
        works = sum(1 for reasons in disabled.values() if not reasons)
        summary = f"{works} of {len(disabled)} operations are possible"
        figures = {
            **facts(schema),
            "audit_rows": _audit_word(probe),
            "disabled": {k: v for k, v in disabled.items() if v},
        }
        yield Checked(Check(self.name, answer, summary, findings, figures))

    def _audit(self, schema: Schema) -> tuple[Finding, ...]:
        """Whether audit rows can be written, by trying; `ops_console` needs them for each line."""
        if schema.server["in_recovery"] or self.desk.environment.read_only:
            return (
                Finding(
                    "audit_not_run",
                    "info",
                    "Whether audit rows can be written was not tried: the target is read-only.",
                ),
            )
        fault = self.desk.audit_fault()
        if not fault:
            return ()
        return (
            Finding(
                "audit",
                "error",
                f"No audit row can be written: {fault}",
                "Have the audit trigger repaired; until then nothing can be written.",
            ),
        )


def facts(schema: Schema) -> dict[str, object]:
    """What the server says of itself, for the screen and the document."""
    server = schema.server
    key = schema.line_key
    return {
        "version": server["version"],
        "database": server["database"],
        "address": server["address"],
        "server_id": schema.server_id,
        "role": server["role"],
        "superuser": server["superuser"],
        "in_recovery": server["in_recovery"],
        "pooled": schema.pooled,
        "encoding": server["encoding"],
        "collation": server["collation"],
        "key_collation": schema.collations[0] if schema.collations else "database default",
        "time_zone": server["server_time_zone"],
        "search_path": server["search_path"],
        "status_labels": list(schema.enum_labels),
        "unique_index": f"{key.name} ({', '.join(key.columns)})" if key else None,
        "invalid_indexes": list(schema.invalid_indexes),
        "line_triggers": [trigger.name for trigger in schema.triggers],
        "audit_triggers": list(schema.audit_triggers),
        "soft_delete": schema.soft_delete,
        "ledger": schema.ledger,
        "rights": _rights(schema),
    }


def _rights(schema: Schema) -> dict[str, list[str]]:
    """What the role may do, by table."""
    return {
        table: [right for right in RIGHTS if (table, right) in schema.rights]
        for table in schema.tables
    }


def _audit_word(probe: tuple[Finding, ...]) -> str:
    """What trying to write an audit row has shown; an untried one is not green."""
    if not probe:
        return "can be written (tried and rolled back)"
    return "cannot be written" if probe[0].severity == "error" else "not run"


def remarks(schema: Schema, desk: Desk) -> tuple[Finding, ...]:
    """What an operator should know although nothing is disabled by it."""
    found = []
    server = schema.server
    if (server["superuser"] or server["bypasses_row_security"]) and desk.environment.kind not in (
        "sandbox",
    ):
        found.append(
            Finding(
                "superuser",
                "error" if desk.role_fault else "warning",
                f"The role {server['role']} is a superuser or bypasses row security.",
                "Use a role that may only do what the runbook needs.",
            )
        )
    if schema.ledger_fault:
        found.append(Finding("ledger", "error", schema.ledger_fault, "Then run preflight again."))
    elif not schema.ledger:
        found.append(
            Finding(
                "ledger",
                "info",
                "The console's own schema ops_console is not there yet.",
                "The first applied plan creates it, and says so before.",
            )
        )
    if schema.invalid_indexes and schema.line_key:
        found.append(
            Finding(
                "invalid_index",
                "warning",
                f"Invalid indexes were left behind: {', '.join(schema.invalid_indexes)}.",
                "Drop them as in section 2.2.",
            )
        )
    if not schema.collations:
        found.append(
            Finding(
                "collation",
                "warning",
                "No Unicode collation is there; own keys lower-case as the database does.",
                "Read the twins of the duplicate precheck with care.",
            )
        )
    return tuple(found)


def _stops(desk: Desk, probe: tuple[Finding, ...], need: Need) -> tuple[str, ...]:
    """What writes needs audit rows, a ledger and a bound role; what reads does not."""
    if not need.writes:
        return ()
    faults = filter(None, (desk.schema.ledger_fault, desk.role_fault))
    return (*faults, *(f.message for f in probe if f.severity == "error"))


def _unique(requirements: Mapping[str, Need], schema: Schema) -> tuple[Finding, ...]:
    found = {finding: None for need in requirements.values() for finding in need.reasons(schema)}
    return tuple(found)
