"""Loads the named statements of `sql/`.

A file holds statements, each headed by `-- name: lower_case` and a line `-- One sentence.` that
says what it does. Identifiers and fragments are placeholders in braces, filled through
`psycopg.sql`; values are bound as `%(name)s`. A brace of SQL itself is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from console.paths import sql_root

_HEAD = re.compile(r"^-- name: (?P<name>[a-z0-9_]+)\n-- (?P<sentence>.+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement: its text and the sentence that says what it does."""

    name: str
    sentence: str
    text: str


@cache
def load(path: str) -> Mapping[str, Query]:
    """Return the statements of `sql/<path>.sql` by name; a file without one is a mistake."""
    source = sql_root().joinpath(*f"{path}.sql".split("/")).read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(source))
    if not heads:
        raise ValueError(f"sql/{path}.sql has no named statement")
    ends = [head.start() for head in heads[1:]] + [len(source)]
    return {
        head["name"]: Query(
            head["name"],
            head["sentence"],
            source[head.end() : end].strip().rstrip(";"),
        )
        for head, end in zip(heads, ends, strict=True)
    }


def query(path: str, name: str) -> Query:
    """Return one statement of `sql/<path>.sql`."""
    return load(path)[name]
