"""What each fault of a record means, in one sentence with its next step."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches

from console.database.connect import Row
from console.operation import Finding
from console.settings import Billing

_FIX = "Correct the line in the file and plan again."
_CONFLICT = "Decide it by hand: the duplicate precheck shows both rows side by side."

_TEXTS: dict[str, tuple[str, str]] = {
    "fields": ("the line has {value} fields, not as many as the header", _FIX),
    "meta": ("meta is not a JSON object: {value}", _FIX),
    "tenant_id": ("the tenant id is not a UUID: {value}", _FIX),
    "period": (
        "the description does not end with month and year: {value}",
        "Write them as in 'Nettomiete Jänner 2026', or use the form with invoice_id.",
    ),
    "no_invoice": (
        "the tenant has no invoice for the month of: {value}",
        "Create the invoice first, or correct the month.",
    ),
    "many_invoices": (
        "the tenant has several invoices for the month of: {value}",
        "Use the form with invoice_id, so that there is no doubt.",
    ),
    "invoice_id": ("the invoice id is not a UUID: {value}", _FIX),
    "unit_id": ("the unit id is not a UUID: {value}", _FIX),
    "description": ("the description is empty; such a line would escape the unique key", _FIX),
    "description_long": ("the description has {value} bytes, too many for the unique index", _FIX),
    "unknown_invoice": ("there is no invoice {value}", _FIX),
    "unknown_unit": ("there is no unit {value}", _FIX),
    "other_unit": ("unit {value} is not the unit of this invoice", _FIX),
    "cancelled": ("the invoice is {value}; its lines stay as they are", "Leave the line out."),
    "locked_period": (
        "the month {value} is locked for this organization",
        "Have the period opened by Finance, or leave the line out.",
    ),
    "repeated_line": (
        "the same line stands already in line {value}; only the first one counts",
        "Remove the repetition; two real charges need two descriptions.",
    ),
    "repeated_key": (
        "the same key with other content stands in line {value} too; neither is taken",
        "Keep the right one of them in the file and plan again.",
    ),
    "twin": (
        "a live line differs only in characters that cannot be seen, in its unit or in its stored "
        "key: {value}",
        _CONFLICT,
    ),
    "duplicate_group": ("several live lines carry this key: {value}", _CONFLICT),
    "soft_deleted": (
        "a deleted line carries this key, so the database would change it unseen: {value}",
        "Restore the deleted line by hand, or leave the line out.",
    ),
    "discarded": (
        "a trigger of the database throws this line away: {value}",
        "See what the trigger is for; no line of this kind can be stored.",
    ),
    "json_null": (
        "the live line's meta is JSON null, which cannot be restored exactly: {value}",
        "Leave meta empty in the file, or correct the live line by hand.",
    ),
}


def finding(row: Row, rules: Billing) -> Finding:
    """Turn a row of the problem table into a finding."""
    code, value = row["code"], row["value"]
    if code == "amount":
        text, step = _amount(value), "Write it as 1234.56: a point, two decimals, no grouping."
    elif code == "line_type":
        text, step = _line_type(value, rules.line_types)
    elif code == "tax_rate":
        allowed = ", ".join(map(str, rules.tax_rates))
        text, step = f"the tax rate is not a whole percent out of {allowed}: {_cell(value)}", _FIX
    else:
        template, step = _TEXTS[code]
        text = template.format(value=_cell(value))
    return Finding(
        code=code,
        severity="error",
        message=f"line {row['line']}: {text}",
        next_step=step,
        record=row["record"] or "",
        line=row["line"],
    )


def _cell(value: str | None) -> str:
    return "(empty)" if value is None else value


def _line_type(value: str | None, known: Sequence[str]) -> tuple[str, str]:
    """Name the probable twin, so that no second spelling becomes a parallel line."""
    twins = get_close_matches((value or "").lower(), known, n=1)
    meant = f"Did you mean {twins[0]}? Otherwise write" if twins else "Write"
    return (
        f"the line type is not one of the configured ones: {_cell(value)}",
        f"{meant} one of {', '.join(known)}, or add it to billing.line_types.",
    )


def _amount(value: str | None) -> str:
    if value is None:
        return "the amount is empty"
    if "," in value:
        return f"the amount has a comma: {value}"
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        return f"the amount is not a number: {value}"
    if not number.is_finite():
        return f"the amount is not a number: {value}"
    if "e" in value.lower() or "_" in value or not value.isascii() or value != value.strip():
        return f"the amount is not written plainly: {value}"
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -2:
        return f"the amount has more than two decimals: {value}"
    return f"the amount is out of range or not written plainly: {value}"
