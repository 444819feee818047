"""The only place where values become what Textual shows.

Everything here is `Content` made from text, never markup: brackets in data stay brackets.
"""

import unicodedata
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol
from uuid import UUID

from rich.text import Text
from textual.content import Content
from textual.style import Style

from console import text

GOOD: Final = "$text-success"
WARN: Final = "$text-warning"
FAIL: Final = "$text-error"
QUIET: Final = "$text-muted"
ACCENT: Final = "$text-accent"

_NULL: Final = Content.styled(text.NULL, QUIET)

_ANSWERS: Final = {
    "pass": ("✓", "pass", GOOD),
    "warn": ("!", "warn", WARN),
    "fail": ("✗", "fail", FAIL),
    "not_run": ("…", "not run", QUIET),
}
_SEVERITIES: Final = {
    "none": ("·", QUIET),
    "info": ("i", ACCENT),
    "low": ("·", QUIET),
    "medium": ("!", WARN),
    "warning": ("!", WARN),
    "high": ("✗", FAIL),
    "error": ("✗", FAIL),
    "critical": ("✗", f"bold {FAIL}"),
}


def plain(value: object) -> Content:
    """Any value on one line; NULL is dimmed, so that it differs from the word."""
    return _NULL if value is None else Content(text.cell(value))


def lines(value: object, limit: int = 100_000) -> Content:
    """Foreign text with its line breaks, for places that scroll."""
    return Content(text.harmless_lines(value, limit))


def label(word: object, style: str = "") -> Content:
    """A word in a style of theme tokens."""
    return Content.styled(text.harmless(word), style)


def joined(*parts: Content | object, between: str = " ") -> Content:
    """Several values on one line; what is not `Content` yet is made harmless."""
    made = [part if isinstance(part, Content) else plain(part) for part in parts]
    return Content(text.harmless(between)).join(made)


def amount(value: Decimal | None) -> Content:
    """An amount of money, grouped; never rounded."""
    return _NULL if value is None else Content(text.money_grouped(value))


def delta(value: Decimal | None) -> Content:
    """A change of money with its sign; colour only beside the sign."""
    if value is None:
        return _NULL
    if not value.is_finite() or value.is_zero():
        return Content.styled(text.money_grouped(value), QUIET)
    sign, style = ("+", ACCENT) if value > 0 else ("-", WARN)
    return Content.styled(f"{sign}{text.money_grouped(value.copy_abs())}", style)


def count(number: int | None) -> Content:
    """A number of things, grouped."""
    return _NULL if number is None else Content(text.count(number))


def when(moment: datetime | None) -> Content:
    """A time stamp in UTC."""
    return _NULL if moment is None else Content(text.when(moment))


def duration(seconds: float) -> Content:
    """A duration in the words of an operator."""
    return Content(text.duration(seconds))


def answer(given: object) -> Content:
    """A check's answer as glyph, word and colour; only pass is green, what is unknown never is."""
    word = str(getattr(given, "value", given))
    glyph, said, style = _ANSWERS.get(word, ("?", text.harmless(word), WARN))
    return Content.styled(f"{glyph} {said}", style)


def severity(given: object) -> Content:
    """A severity as glyph, word and colour."""
    word = str(getattr(given, "value", given))
    glyph, style = _SEVERITIES.get(word, ("?", WARN))
    return Content.styled(f"{glyph} {text.harmless(word)}", style)


def identifier(value: UUID | str | None, short: bool = False) -> Content:
    """An identifier, whole or by its first eight characters and `…`."""
    if value is None:
        return _NULL
    whole = text.harmless(value)
    return Content.styled(f"{whole[:8]}…" if short and len(whole) > 9 else whole, QUIET)


def before_after(old: object, new: object) -> Content:
    """An old and a new value; where they look alike, what differs is spelled out."""
    shown = (plain(old), plain(new))
    if old == new:
        return Content.assemble(shown[0], (" =", QUIET))
    if None not in (old, new) and _looks(shown[0]) == _looks(shown[1]):
        shown = (revealed(old), revealed(new))
    return Content.assemble(shown[0].stylize(QUIET), (" → ", QUIET), shown[1])


def _looks(content: Content) -> str:
    return " ".join(unicodedata.normalize("NFKC", content.plain).split())


def revealed(value: object) -> Content:
    """Text with odd spaces, edge spaces and combining marks spelled out and coloured."""
    if value is None:
        return _NULL
    shown = text.reveal(value)
    clean = isinstance(value, str) and shown == value
    return Content(shown) if clean else Content.styled(shown, WARN)


class _Themed(Protocol):
    @property
    def theme_variables(self) -> dict[str, str]: ...


def in_table(content: Content, app: _Themed, right: bool = False) -> Text:
    """The same for a DataTable's cell or header, which measures Rich text only.

    Colours are those of the app's theme at this moment; fill the table again when it changes.
    """
    shown = Text(content.plain, no_wrap=True, end="", justify="right" if right else None)
    for start, end, style in content.spans:
        resolved = Style.parse(style, app.theme_variables) if isinstance(style, str) else style
        shown.stylize(resolved.rich_style, start, end)
    return shown
