"""The named statements of `sql/`: each has its sentence, is used, and can be composed."""

import re
from collections import Counter
from string import Formatter

import pytest
from psycopg import sql

from console.database.queries import Query, load, query
from console.paths import sql_root
from tests.unit.statements import PATHS, STATEMENTS, placeholders

SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted((sql_root().parent / "console").rglob("*.py"))
)
EACH = pytest.mark.parametrize(
    ("path", "statement"), STATEMENTS, ids=[f"{path}:{s.name}" for path, s in STATEMENTS]
)


def test_statements_are_found() -> None:
    """The tests below look at something."""
    assert len(PATHS) > 5
    assert len(STATEMENTS) > 60


@pytest.mark.parametrize("path", PATHS)
def test_names_are_unique_and_nothing_stands_outside(path: str) -> None:
    """A file holds named statements and nothing before the first of them."""
    text = sql_root().joinpath(f"{path}.sql").read_text(encoding="utf-8")
    names = re.findall(r"^-- name: *(.*)$", text, re.MULTILINE)
    assert text.startswith("-- name: ")
    assert sorted(names) == sorted(load(path))


@EACH
def test_a_statement_has_one_sentence(path: str, statement: Query) -> None:
    """The sentence begins with a capital letter, ends with a full stop, and is one."""
    assert re.fullmatch(r"[A-Z][^.]*(\.[^ ][^.]*)*\.", statement.sentence), statement.sentence


@EACH
def test_a_statement_is_one_statement(path: str, statement: Query) -> None:
    """No semicolon inside, so that nothing can run behind a statement's back."""
    bare = re.sub(r"'[^']*'|--.*", "", statement.text)
    assert ";" not in bare
    assert bare.strip()


@EACH
def test_a_statement_is_used(path: str, statement: Query) -> None:
    """Its name stands in the Python code as a word of its own, not as a column's."""
    kind = statement.name.removesuffix("_batch")
    assert re.search(rf'(?<!\[)"({statement.name}|{kind})"', SOURCE), statement.name
    assert f'"{path}"' in SOURCE, path


@EACH
def test_a_statement_can_be_composed(path: str, statement: Query) -> None:
    """Every placeholder takes an identifier; values are bound by name, never by place."""
    parts = dict.fromkeys(placeholders(statement), sql.Identifier("x"))
    text = sql.SQL(statement.text).format(**parts).as_string(None)
    assert set(re.findall(r"%[^%(]", text.replace("%%", ""))) == set()


def test_placeholders_are_named() -> None:
    """No statement has a placeholder without a name or with a conversion."""
    for path, statement in STATEMENTS:
        for _, name, form, conversion in Formatter().parse(statement.text):
            assert name is None or re.fullmatch("[a-z_]+", name), (path, statement.name, name)
            assert not form
            assert not conversion


def test_a_sentence_is_said_once() -> None:
    """No two statements of a file have the same sentence."""
    for path in PATHS:
        said = Counter(statement.sentence for statement in load(path).values())
        assert [sentence for sentence, times in said.items() if times > 1] == []


def test_an_unknown_statement_is_a_mistake() -> None:
    """A wrong name is found at once."""
    with pytest.raises(KeyError):
        query("server/ledger", "no_such_statement")
