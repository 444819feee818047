"""The meta cells of a file: JSON objects that PostgreSQL can store and give back."""

from __future__ import annotations

import json
import math
from typing import NoReturn


class MetaFaults:
    """Says what is wrong with a meta cell; equal cells are parsed once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {"": ""}

    def __call__(self, text: str) -> str:
        if text not in self._known:
            if len(self._known) > 4096:
                self._known = {"": ""}
            self._known[text] = self._fault(text)
        return self._known[text]

    @staticmethod
    def _fault(text: str) -> str:
        try:
            value = json.loads(
                text, parse_constant=_refuse, parse_float=_in_range, object_pairs_hook=_unique
            )
            if "\\u" in text:  # half a surrogate pair is JSON, but no text
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return "meta"
        return "" if isinstance(value, dict) and "\\u0000" not in text else "meta"


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _in_range(text: str) -> float:
    """A number that every reader of JSON can hold; PostgreSQL refuses the ones far beyond."""
    value, mantissa = float(text), text.lower().partition("e")[0]
    if math.isinf(value) or (value == 0 and mantissa.strip("-0.")):
        raise ValueError(text)
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
