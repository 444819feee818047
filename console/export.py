"""Cells of CSV exports that no spreadsheet takes for a formula."""

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Final

from console.text import HIDDEN

_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_STARTS_FORMULA: Final = frozenset("=+-@\t\r\n\0＝＋－＠")
_MARK: Final = "'"


def csv_cell(value: object) -> str:
    """Return a value as a CSV cell; a text that could run as a formula gets a leading apostrophe.

    Numbers stay numbers, so negative amounts survive. `from_csv_cell` reads it back.
    """
    match value:
        case None:
            return ""
        case Decimal():
            text = f"{value:f}"
        case datetime():
            text = value.isoformat()
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False, default=str)
        case _:
            text = str(value)
    return f"{_MARK}{text}" if _needs_mark(text) else text


def from_csv_cell(cell: str) -> str:
    """Return the text that `csv_cell` was given."""
    return cell.removeprefix(_MARK)


def _needs_mark(text: str) -> bool:
    if not text or _NUMBER.fullmatch(text):
        return False
    if text[0] == _MARK or text[0] in _STARTS_FORMULA:
        return True
    # A spreadsheet skips spaces and invisible characters before it looks for the sign.
    bare = HIDDEN.sub("", text).lstrip()
    return bool(bare) and bare[0] in _STARTS_FORMULA
