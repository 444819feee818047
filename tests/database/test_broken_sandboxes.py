"""The known defects that a sandbox is seeded with, and what cannot be generated."""

from typing import Any

import psycopg
import pytest

from console.errors import BadInput
from console.sandbox.seed import Broken, Portfolio, Schema, populate
from tests.database.conftest import INVOICES
from tests.database.incident_kit import CHAIN, one


@pytest.mark.parametrize("schema", ["app", "cloud"])
@pytest.mark.parametrize("broken", ["audit-trigger", "invalid-index", "no-index", "null-keys"])
def test_defects(empty_database: str, schema: Schema, broken: Broken) -> None:
    """Each variant has the defect it is named after, found where an operator would look."""
    populate(empty_database, Portfolio(INVOICES, schema=schema, broken=broken), None)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        validity = [
            row[0]
            for row in connection.execute(
                """SELECT indisvalid FROM pg_index WHERE indrelid = 'invoice_lines'::regclass
                AND indisunique AND indnkeyatts = 4"""
            )
        ]
        assert validity == {"invalid-index": [False], "no-index": []}.get(broken, [True])
        nulls = "SELECT count(*) FROM invoice_lines WHERE normalized_description IS NULL"
        assert (one(connection, nulls) > 0) == (broken == "null-keys")
        assert (audit_insert(connection) is not None) == (broken == "audit-trigger")


def audit_insert(connection: psycopg.Connection[Any]) -> str | None:
    """The SQLSTATE with which an audit insert fails, if it does."""
    try:
        connection.execute("INSERT INTO audit_logs (action, table_name) VALUES ('probe', 'none')")
    except psycopg.errors.UndefinedFunction as error:
        return error.sqlstate
    return None


def test_a_forked_chain(empty_database: str) -> None:
    """Every hash is right and yet several rows share one parent."""
    populate(empty_database, Portfolio(INVOICES, schema="cloud", broken="forked-chain"), None)
    with psycopg.connect(empty_database, options="-c TimeZone=UTC") as connection:
        altered, forks = connection.execute(CHAIN).fetchone() or (None, None)
        assert altered == 0
        assert forks is not None
        assert forks > 10


@pytest.mark.parametrize(
    ("portfolio", "word"),
    [
        (Portfolio(invoices=83), "at least 84"),
        (Portfolio(invoices=0, scenario="none"), "at least 1"),
        (Portfolio(broken="forked-chain"), "needs schema cloud"),
        (Portfolio(schema="other"), "no schema named 'other'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_generated_is_refused(portfolio: Portfolio, word: str) -> None:
    """The refusal says what to change, before anything connects."""
    with pytest.raises(BadInput, match=word):
        populate("postgresql://nowhere.invalid/", portfolio, None)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_other_seeds_make_the_same_incident(empty_database: str, seed: int) -> None:
    """The smallest portfolio always has room for the whole incident."""
    portfolio = Portfolio(INVOICES, seed=seed, schema="cloud")
    populate(empty_database, portfolio, None)
    with psycopg.connect(empty_database) as connection:
        missing = one(
            connection,
            """SELECT sum(expected - found) FROM (
                SELECT CASE WHEN i.gesamtbetrag = 0 THEN 0 ELSE max(count(l.id)) OVER
                    (PARTITION BY i.tenant_id) END AS expected, count(l.id) AS found
                FROM monthly_invoices AS i LEFT JOIN invoice_lines AS l ON l.invoice_id = i.id
                    AND l.description NOT LIKE '%' || chr(160) || '%'
                GROUP BY i.id) AS per_invoice""",
        )
        assert missing == 120
