"""Commands that only read: one check, its findings, its document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from console.text import cell

if TYPE_CHECKING:
    from console.cli.output import Output
    from console.cli.work import Call
    from console.desk import Desk
    from console.operation import Answer, Check, Operation

CODES: Mapping[Answer, int] = {"pass": 0, "warn": 0, "fail": 1, "not_run": 3}


def read(
    call: Call, make: Callable[[Desk], Operation], columns: Sequence[str] | None = None
) -> int:
    """Run a reading operation and return its exit code.

    `columns` picks what is shown of the rows among its figures; None shows the figures, an empty
    list the findings alone.
    """
    with call.work() as work:
        operation = make(work.desk)
        try:
            check = work.read(operation)
        finally:
            operation.close()
    report_check(call, check, columns)
    return CODES[check.answer]


def report_check(call: Call, check: Check, columns: Sequence[str] | None = None) -> None:
    """Print the check for people, and its document where one was asked for."""
    call.out.result(verdict(check))
    _figures(call.out, check.figures, columns)
    call.out.findings(check.findings)
    if call.out.json:
        _document(call, check)


def verdict(check: Check) -> str:
    """The answer first, as one word."""
    return f"{check.name}: {check.answer.replace('_', ' ').upper()}: {check.summary}"


def _figures(out: Output, figures: Mapping[str, Any], columns: Sequence[str] | None) -> None:
    if columns is None:
        for name, value in figures.items():
            out.result(f"  {name}: {shown(value)}")
    elif columns and figures.get("rows"):
        out.table(columns, [[shown(row[name]) for name in columns] for row in figures["rows"]])


def shown(value: object) -> str:
    """A value of a table or a list for people."""
    match value:
        case Mapping():
            return ", ".join(f"{name} {shown(item)}" for name, item in value.items())
        case list() | tuple():
            return ", ".join(map(shown, value))
        case Decimal():
            return f"{value:f}"
        case _:
            return cell(value)


def _document(call: Call, check: Check) -> None:
    from console.document_parts import environment_part, finding_parts, plain
    from console.documents import CheckDocument, SessionPart

    assert call.target  # noqa: S101 - a check was made there
    assert call.log  # noqa: S101 - same
    call.out.document(
        CheckDocument(
            operation=check.name,
            status=check.answer,
            environment=environment_part(call.target),
            session=SessionPart(log=str(call.log[0]), head=call.log[1]),
            findings=finding_parts(check.findings),
            finding_count=len(check.findings),
            started_at=call.started_at,
            finished_at=datetime.now(UTC),
            summary=check.summary,
            figures=plain(check.figures),
        )
    )
