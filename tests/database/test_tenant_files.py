"""The form of a file that names tenants instead of invoices."""

import unicodedata
from pathlib import Path

import pytest

from tests.database import billing
from tests.database.billing import Connection, codes, plan, rows, upsert
from tests.database.conftest import Database

TENANT_HEADER = ("tenantId", "unitId", "lineType", "description", "amount", "taxRate")


MONTHS = ["Jänner", "Feber", "März", "April", "Mai", "Juni", "Juli", "August", "September",
          "Oktober", "November", "Dezember"]  # fmt: skip


def tenant_lines(connection: Connection, names: list[str]) -> list[list[str]]:
    """A line for each open invoice, by its tenant and its month's name."""
    found = billing.all_rows(
        connection,
        """SELECT m.tenant_id::text, m.unit_id::text, m.month, m.year, m.id::text
        FROM monthly_invoices m WHERE m.tenant_id IS NOT NULL AND m.id::text = ANY (%s)""",
        [invoice for invoice, _ in billing.open_invoices(connection, 1000)],
    )
    assert len({row[2] for row in found}) > 6
    return [
        [tenant, unit, "sonstige", f"Nachtrag {names[month - 1]} {year}", "1.00", "0", invoice]
        for tenant, unit, month, year, invoice in found
    ]


@pytest.mark.parametrize("spelling", ["austrian", "german", "decomposed", "shouted"])
def test_tenants_are_resolved_by_month(
    both_schemas: Database, tmp_path: Path, spelling: str
) -> None:
    """The finder's form resolves to the tenant's invoice of the month that the text ends with."""
    names = list(MONTHS)
    if spelling == "german":
        names[:2] = ["Januar", "Februar"]
    if spelling == "decomposed":
        names = [unicodedata.normalize("NFD", name) for name in names]
    if spelling == "shouted":
        names = [name.upper() for name in names]
    with both_schemas.connect() as connection:
        for month in (1, 2, 3):  # every name is tried, whatever months the portfolio has
            connection.execute(
                """UPDATE monthly_invoices SET year = 2031, month = %s WHERE id = (
                SELECT max(id::text)::uuid FROM monthly_invoices
                WHERE tenant_id IS NOT NULL AND year < 2031)""",
                (month,),
            )
        lines = tenant_lines(connection, names)
    path = billing.write_csv(tmp_path, [line[:-1] for line in lines], TENANT_HEADER)
    operation = upsert(both_schemas, path)
    assert plan(operation).counts == {"insert": len(lines)}
    assert {name.split()[1] for *_, name, _, _, _ in lines} >= set(names[:3])
    resolved = [str(row.after["invoice_id"]) for row in rows(operation) if row.after]
    assert resolved == [line[-1] for line in lines]


def test_tenants_that_cannot_be_resolved(both_schemas: Database, tmp_path: Path) -> None:
    """No month, no such month, no such tenant: each is a finding and nothing is guessed."""
    with both_schemas.connect() as connection:
        line = tenant_lines(connection, MONTHS)[0][:-1]
    faults = {
        "period": ["Nachtrag", "Nachtrag 2026", "Nachtrag Jänner", "Nachtrag Brumaire 2026",
                   "Nachtrag Jänner 20261"],
        "no_invoice": ["Nachtrag Jänner 1999"],
    }  # fmt: skip
    lines, expected = [], {}
    for code, texts in faults.items():
        for text in texts:
            lines.append([*line[:3], text, *line[4:]])
            expected[len(lines) + 1] = {code}
    for tenant in ("x", "", "00000000-0000-4000-8000-00000000dead"):
        lines.append([tenant, *line[1:]])
        expected[len(lines) + 1] = {"no_invoice" if tenant.startswith("0") else "tenant_id"}
    operation = upsert(both_schemas, billing.write_csv(tmp_path, lines, TENANT_HEADER))
    assert plan(operation).counts == {"rejected": len(lines)}
    assert codes(operation) == expected


def test_bad_meta_of_a_tenants_line(app_database: Database, tmp_path: Path) -> None:
    """In the tenants' form a bad meta is one finding, not also an invoice that was never asked."""
    with app_database.connect() as connection:
        line = tenant_lines(connection, MONTHS)[0][:-1]
    path = billing.write_csv(tmp_path, [[*line, "nix"]], (*TENANT_HEADER, "meta"))
    operation = upsert(app_database, path)
    plan(operation)
    assert codes(operation) == {2: {"meta"}}
