"""What the tests of the seeded incident share."""

from typing import Any

import psycopg

CHAIN = """
    SELECT count(*) FILTER (WHERE hash <> encode(sha256(convert_to(concat_ws('|', id,
            coalesce(user_id::text, ''), table_name, coalesce(record_id::text, ''), action,
            created_at::text, previous_hash), 'UTF8')), 'hex')) AS altered,
        count(*) - count(DISTINCT previous_hash) AS forks
    FROM audit_logs"""


def one(connection: psycopg.Connection[Any], query: str) -> Any:
    """The single value of a query."""
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
