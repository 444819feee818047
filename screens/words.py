"""Joins what `present` has made into paragraphs, and the rows of a plan into one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from textual.content import Content

from console.operation import Image, Plan, PlanRow
from screens import present

KINDS: Mapping[str, tuple[str, str]] = {
    "insert": ("+", present.GOOD),
    "update": ("~", present.ACCENT),
    "noop": ("=", present.QUIET),
    "conflict": ("!", present.WARN),
    "rejected": ("✗", present.FAIL),
    "delete": ("-", present.WARN),
    "restore": ("↺", present.ACCENT),
    "changed": ("!", present.WARN),
    "gone": ("∅", present.WARN),
    "clean": ("✓", present.GOOD),
    "done": ("=", present.QUIET),
    "referenced": ("✗", present.FAIL),
}
_LONG = (Mapping, list, tuple)
FIRST_COLUMNS = ("description", "amount", "line_type", "lineType", "tax_rate", "taxRate", "meta")


def paragraph(*parts: Content) -> Content:
    """Several lines, one under the other."""
    return present.lines("\n").join(parts)


def kind(operation: str) -> Content:
    """A kind of plan row as sign, word and colour."""
    sign, style = KINDS.get(operation, ("·", ""))
    return present.label(f"{sign} {operation}", style)


def columns_of(*images: Image | None) -> list[str]:
    """The columns of some images, those that say most first."""
    names = dict.fromkeys(name for image in images if image for name in image)
    first = [name for name in FIRST_COLUMNS if name in names]
    return [*first, *(name for name in names if name not in first)]


def changed(before: Image | None, after: Image | None) -> list[str]:
    """The columns in which two images differ."""
    if before is None or after is None:
        return columns_of(before, after)
    # A column that an image does not speak of is left as it is, not set to NULL.
    return [
        n for n in columns_of(before, after) if n in before and n in after and before[n] != after[n]
    ]


def change(row: PlanRow) -> Content:
    """What a row of a plan does, on one line."""
    if row.before is not None and row.after is not None and row.operation != "noop":
        names = [name for name in changed(row.before, row.after) if name != "updated_at"]
        parts = [_changed(name, row.before, row.after) for name in names]
        return present.joined(*parts, between=", ")
    image = row.after if row.after is not None else row.before
    refused = row.reason and row.operation in ("conflict", "rejected")
    said = [present.label(row.reason, present.WARN)] if refused or image is None else []
    shown = [image[name] for name in FIRST_COLUMNS[:3] if name in image] if image else []
    return present.joined(*said, *shown, between="  ")


def _changed(name: str, before: Image, after: Image) -> Content:
    return present.joined(
        present.label(name, present.QUIET), present.before_after(before.get(name), after.get(name))
    )


def images(row: PlanRow) -> Iterator[Content]:
    """Before and after of a row, column by column."""
    if row.reason:
        yield present.label(row.reason, present.WARN)
    before, after = row.before, row.after
    for name in columns_of(before, after):
        yield present.joined(present.label(f"{name}:", present.QUIET), _value(name, before, after))


def _value(name: str, before: Image | None, after: Image | None) -> Content:
    if name in changed(before, after) and before is not None and after is not None:
        return present.before_after(before[name], after[name])
    image = after if after is not None and name in after else before
    return present.plain(image.get(name) if image else None)


def money(plan: Plan) -> Content:
    """The money delta of a plan, per currency."""
    parts = [present.joined(present.delta(d), c) for c, d in plan.money.items()]
    return present.joined(*parts, between=", ") if parts else present.delta(Decimal(0))


def counts(numbers: Mapping[str, int]) -> Content:
    """Kinds of row and how many of each."""
    parts = [present.joined(kind(name), present.count(number)) for name, number in numbers.items()]
    return present.joined(*parts, between="   ")


def figures(numbers: Mapping[str, Any]) -> Iterator[Content]:
    """The figures of a check, one a line; a table has a paragraph for every row."""
    short = {name: value for name, value in numbers.items() if not isinstance(value, _LONG)}
    yield from _aligned(short)
    for name, value in numbers.items():
        if isinstance(value, _LONG) and value:
            yield present.label("")
            yield present.label(_spaced(name), "bold")
            yield from _long_figure(value)


def _aligned(numbers: Mapping[str, Any]) -> Iterator[Content]:
    width = max(map(len, numbers), default=0)
    for name, value in numbers.items():
        shown = "-" if value is None else value
        yield present.joined(
            present.label(f"{_spaced(name):<{width}}", present.QUIET), shown, between="  "
        )


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _long_figure(value: Mapping[str, Any] | Sequence[Any]) -> Iterator[Content]:
    if isinstance(value, Mapping):
        yield from _aligned({name: _on_one_line(one) for name, one in value.items()})
    elif isinstance(value[0], Mapping):
        for number, row in enumerate(value):
            if number:
                yield present.label("")
            yield from _aligned({name: _on_one_line(one) for name, one in row.items()})
    else:
        yield present.label(_on_one_line(value))


def _on_one_line(value: object) -> object:
    if not isinstance(value, list | tuple):
        return value
    return ", ".join(present.plain(one).plain for one in value) or "-"
