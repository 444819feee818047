"""Values of the core as parts of the JSON documents, and a document as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from console.documents import (
    MOST_FINDINGS,
    CheckPart,
    Document,
    EnvironmentPart,
    FindingPart,
    OutcomePart,
    PlanPart,
    RowPart,
)
from console.secrets import MASK, redact

if TYPE_CHECKING:
    from console.operation import Check, Finding, Outcome, Plan, PlanRow, Target

# Words of the program itself: a password that happens to equal one must not break the document.
_WORDS = frozenset(("status", "severity", "code", "operation", "digest", "head", "token"))
_TIMES = frozenset(("started_at", "finished_at", "expires_at", "committed_at"))
_OURS = _WORDS | _TIMES

UPSERT_KINDS = ("insert", "update", "noop", "conflict", "rejected")


def to_json(document: Document) -> str:
    """The document as ASCII JSON without any secret that this process knows."""
    data = document.model_dump(mode="json", by_alias=True)
    return json.dumps(_cleaned("", data), ensure_ascii=True, indent=2)


def _cleaned(key: str, value: Any) -> Any:
    """Redact text by text, so that the document stays valid whatever the secrets look like."""
    if isinstance(value, dict):
        return {_key(name): _cleaned(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(key, item) for item in value]
    if not isinstance(value, str) or key in _OURS:
        return value
    # With its key, because a key such as "password" says what its value is.
    try:
        (cleaned,) = json.loads(redact(json.dumps({key: value}))).values()
    except ValueError:
        return MASK
    return cleaned


def _key(name: str) -> str:
    """A name of a field stays; any other key may hold foreign text."""
    return name if name.isidentifier() else redact(name)


def environment_part(target: Target) -> EnvironmentPart:
    return EnvironmentPart(
        name=target.environment,
        host=target.host,
        database=target.database,
        server_id=target.server_id,
        read_only=target.read_only,
    )


def finding_parts(findings: Sequence[Finding]) -> list[FindingPart]:
    """At most as many findings as a document holds."""
    return [
        FindingPart(
            code=found.code,
            severity=found.severity,
            record=found.record,
            message=found.message,
            next_step=found.next_step,
            line=found.line,
        )
        for found in findings[:MOST_FINDINGS]
    ]


def check_part(check: Check) -> CheckPart:
    return CheckPart(
        name=check.name,
        status=check.answer,
        summary=check.summary,
        findings=finding_parts(check.findings),
        figures=plain(check.figures),
    )


def plan_part(plan: Plan, rows: Sequence[PlanRow], page: int, size: int) -> PlanPart:
    return PlanPart(
        title=plan.title,
        run_id=plan.run_id,
        token=plan.token,
        digest=plan.digest,
        expires_at=plan.expires_at,
        counts=_counts(plan),
        money=amounts(plan.money),
        rows_written=plan.rows_written,
        blocked=plan.blocked,
        notes=list(plan.notes),
        page=page,
        page_size=size,
        rows=[_row_part(row) for row in rows],
    )


def _counts(plan: Plan) -> dict[str, int]:
    """The plan's counts; those of an upsert name every kind, also where there is none."""
    known = UPSERT_KINDS if plan.operation == "upsert_missing_lines" else ()
    return {**dict.fromkeys(known, 0), **plan.counts}


def outcome_part(outcome: Outcome, plan: Plan, check: Check | None) -> OutcomePart:
    return OutcomePart(
        run_id=outcome.run_id,
        counts=dict(outcome.counts),
        money=amounts(outcome.money),
        transaction_id=outcome.transaction_id,
        committed_at=outcome.committed_at.astimezone(UTC),
        undo=plan.undo,
        verification=check_part(check) if check else None,
    )


def _row_part(row: PlanRow) -> RowPart:
    return RowPart(
        key=row.key,
        operation=row.operation,
        before=plain(row.before),
        after=plain(row.after),
        current=plain(row.current),
        reason=row.reason,
        selected=row.selected,
        line=row.line,
    )


def amounts(money: Mapping[str, Decimal]) -> dict[str, str]:
    """Money as text with two decimals, by currency."""
    return {currency: f"{amount:.2f}" for currency, amount in money.items()}


def plain(value: Any) -> Any:
    """Any value as JSON: numbers with decimals become text, times RFC 3339 in UTC."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            exponent = value.as_tuple().exponent
            short = isinstance(exponent, int) and exponent >= -2
            return f"{value:.2f}" if short else f"{value:f}"
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _:
            return str(value)
