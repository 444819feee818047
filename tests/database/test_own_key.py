"""The console's own description key: what it takes for equal, in SQL and by the long way."""

import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from console.database.schema import Schema
from tests.database import billing
from tests.database.billing import Connection
from tests.database.conftest import Database


def keys(connection: Connection, schema: Schema, texts: list[str]) -> list[str]:
    """The console's own key of many texts in one query."""
    query = sql.SQL(
        "SELECT array_agg({} ORDER BY place)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS given (description, place)"
    ).format(schema.own_key("given", "description"))
    row = connection.execute(query, (texts,)).fetchone()
    assert row is not None
    return list(row[0] or [])


INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u206f\ufe0f\ufeff\U000e0041"  # noqa: E501


SPACES = "\t\n\r \u0085\u00a0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u205f\u3000"


LETTERS = st.characters(codec="utf-8", exclude_characters="\0")


TEXT = st.text(
    st.one_of(LETTERS, st.sampled_from("aäAÄßẞİıΣσςǅ ́̈ﬁK|" + INVISIBLE + SPACES)), max_size=24
)


PLAIN = st.from_regex(r"[!-~ÄÖÜäöüß]{1,6}( [!-~ÄÖÜäöüß]{1,6}){0,3}", fullmatch=True)


BATCHES = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


@BATCHES
@given(st.lists(st.tuples(TEXT, st.integers(0, 24), st.text(INVISIBLE, max_size=4)), min_size=30))
def test_the_own_key(app_database: Database, batch: list[tuple[str, int, str]]) -> None:
    """The key of a key is the key, nothing unseen changes it, and it has no double space."""
    schema = billing.desk(app_database).schema
    texts = [text for text, _, _ in batch]
    with app_database.connect() as connection:
        once = keys(connection, schema, texts)
        assert keys(connection, schema, once) == once
        hidden = [text[:at] + unseen + text[at:] for text, at, unseen in batch]
        assert keys(connection, schema, hidden) == once
        composed = [unicodedata.normalize("NFD", text) for text in texts]
        assert keys(connection, schema, composed) == once
        padded = [f"\u00a0{text}\u3000\n" for text in texts]
        assert keys(connection, schema, padded) == once
    for key in once:
        assert not set(key) & set(INVISIBLE + SPACES.replace(" ", ""))
        assert "  " not in key
        assert key == key.strip(" ")


@BATCHES
@given(st.lists(PLAIN, min_size=30))
def test_the_short_way_to_the_key_is_the_long_one(app_database: Database, texts: list[str]) -> None:
    """Plain texts take a shorter path to the same key."""
    schema = billing.desk(app_database).schema
    # One unseen character sends a text the long way round, and leaves no trace in the key.
    with app_database.connect() as connection:
        assert keys(connection, schema, texts) == keys(
            connection, schema, [f"{text}\u200b" for text in texts]
        )
