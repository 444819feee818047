"""The generated portfolio and its incident, as SQL sees them."""

from typing import Any

import psycopg

from tests.database.conftest import INVOICES, Database


def one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_counts(both_schemas: Database) -> None:
    """The asked number of invoices, every line with the key its trigger would give it."""
    with both_schemas.connect() as connection:
        assert one(connection, "SELECT count(*) FROM monthly_invoices") == INVOICES
        wrong = one(
            connection,
            r"""SELECT count(*) FROM invoice_lines WHERE normalized_description IS DISTINCT FROM
            regexp_replace(lower(trim(description)), '\s+', ' ', 'g')""",
        )
        assert wrong == 0
