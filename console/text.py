"""Foreign text made harmless, and values made readable, in one place.

Stored data is never changed; only what is shown passes here.
"""

import json
import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

NULL: Final = "NULL"
LIMIT: Final = 4096
_MARKS_IN_A_ROW: Final = 4
_LONGEST_NUMBER: Final = 60  # written out, a hostile exponent would fill the memory

# Every character that a terminal obeys or swallows instead of showing.
_HIDDEN_RANGES: Final = (
    (0x00, 0x1F),  # C0
    (0x7F, 0x9F),  # DEL, C1
    (0xAD, 0xAD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and vowel separator
    (0x200B, 0x200F),  # zero width, directional marks
    (0x2028, 0x202E),  # line and paragraph separator, bidi embeddings
    (0x2060, 0x206F),  # word joiner, invisible operators, bidi isolates
    (0x3164, 0x3164),  # Hangul filler
    (0xD800, 0xDFFF),  # lone surrogates
    (0xFDD0, 0xFDEF),  # noncharacters
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFFB),  # ignorables, interlinear annotation
    *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000)),
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags, variation selectors supplement
)


def _character_class(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


HIDDEN: Final = re.compile(f"[{_character_class(_HIDDEN_RANGES)}]")
"""Matches one character that must never reach a terminal."""

# In text that Python calls printable (no control, format, separator, surrogate or unassigned
# character), what is left to look for starts at U+0300, past all Latin script.
_SUSPECT: Final = re.compile("[\u0300-\u1fff\u20d0-\u20ff\u2c80-\U0010ffff]")
_ODD_SPACE: Final = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]")
_EDGE_SPACE: Final = re.compile("^ +| +$| {2,}")
_NAMED: Final = {"\n": "⏎", "\t": "\\t", "\r": "\\r"}


def notation(character: str) -> str:
    """Return the visible notation of one character: a named sign, `\\xNN` or `\\u{NNNN}`."""
    if named := _NAMED.get(character):
        return named
    code = ord(character)
    byte_like = code < 0x20 or 0x7F <= code < 0xA0
    return f"\\x{code:02x}" if byte_like else f"\\u{{{code:X}}}"


def harmless(value: object, limit: int = LIMIT) -> str:
    """Return foreign text as one line in which nothing is hidden and nothing is obeyed.

    A text longer than `limit` characters is cut and says by how many.
    """
    text = value if type(value) is str else _text_of(value)
    if len(text) > limit:
        return f"{harmless(text[:limit], limit)}… (+{len(text) - limit})"
    return text if _clean(text) else _spelled_out(text)


def harmless_lines(value: object, limit: int | None = None) -> str:
    """Return foreign text as `harmless` does, but keep its line breaks."""
    text = value if type(value) is str else _text_of(value)
    if limit is not None and len(text) > limit:
        return f"{harmless_lines(text[:limit])}… (+{len(text) - limit})"
    if _clean(text):
        return text
    return "\n".join(_spelled_out(line) for line in text.split("\n"))


def reveal(value: object, limit: int = LIMIT) -> str:
    """Return text with odd spaces, edge spaces and combining marks spelled out as well.

    For places where two strings look alike and are not, such as duplicate keys.
    """
    text = value if type(value) is str else _text_of(value)
    if len(text) > limit:
        return f"{reveal(text[:limit], limit)}… (+{len(text) - limit})"
    text = _spelled_out(text, marks_in_a_row=0)
    text = _ODD_SPACE.sub(lambda found: notation(found[0]), text)
    return _EDGE_SPACE.sub(lambda found: "␣" * len(found[0]), text)


def _clean(text: str) -> bool:
    return text.isprintable() and (text.isascii() or _SUSPECT.search(text) is None)


def _text_of(value: object) -> str:
    try:
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value).decode("utf-8", "backslashreplace")
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # a broken __str__ must not take the screen with it
        return f"<unprintable {type(value).__name__}>"


def _spelled_out(text: str, marks_in_a_row: int = _MARKS_IN_A_ROW) -> str:
    shown: list[str] = []
    marks = 0
    for character in text:
        combines = character >= "\u0300" and unicodedata.category(character) in ("Mn", "Me")
        marks = marks + 1 if combines else 0
        hidden = marks > marks_in_a_row or HIDDEN.match(character)
        shown.append(notation(character) if hidden else character)
    return "".join(shown)


def cell(value: object) -> str:
    """Return any database value as one line; None is NULL."""
    match value:
        case None:
            return NULL
        case bool():
            return "true" if value else "false"
        case Decimal():
            return _plain(value)
        case datetime():
            return when(value)
        case dict() | list():
            return harmless(json.dumps(value, ensure_ascii=False, default=str))
        case _:
            return harmless(value)


def _plain(value: Decimal) -> str:
    small = value.is_finite() and abs(value.adjusted()) < _LONGEST_NUMBER
    return f"{value:f}" if small else str(value)


def _amount(value: Decimal | None, form: str) -> str:
    """Pad to two decimals; digits beyond them stay, because rounding would hide a difference."""
    if value is None:
        return NULL
    if value.is_zero():
        return "0.00"
    if not value.is_finite() or abs(value.adjusted()) >= _LONGEST_NUMBER:
        return str(value)
    whole, _, decimals = format(value, form).partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def money(value: Decimal | None) -> str:
    """Return an amount for documents: `41207.55`; never rounded, NULL when unknown."""
    return _amount(value, "f")


def money_grouped(value: Decimal | None) -> str:
    """Return an amount for screens: `41,207.55`; never rounded, NULL when unknown."""
    return _amount(value, ",f")


def when(moment: datetime) -> str:
    """Return a time stamp as `2026-11-21 02:14:09 UTC`; a naive one says that it has no zone."""
    if moment.tzinfo is None:
        return f"{moment.isoformat(' ', 'seconds')} (no zone)"
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def duration(seconds: float) -> str:
    """Return a duration as an operator says it: `0.84 s`, `41 s`, `12 min 05 s`, `3 h 02 min`."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def count(number: int) -> str:
    """Return a whole number with its thousands separated by commas."""
    return f"{number:,d}"
