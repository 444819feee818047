"""Lines for the files of the tests: live ones, fresh ones, and changed ones."""

from tests.database import billing
from tests.database.billing import HEADER, Connection


def live_line(connection: Connection, where: str = "true") -> tuple[str, ...]:
    """One live line of an open invoice, as the cells of a file."""
    found = billing.all_rows(
        connection,
        f"""SELECT l.invoice_id::text, l.unit_id::text, l.line_type, l.description, l.amount::text,
               l.tax_rate::text, coalesce(l.meta::text, '')
        FROM invoice_lines l WHERE l.invoice_id::text = ANY (%s)
          AND l.description !~ '[^ -~äöüÄÖÜß]' AND {where}
        ORDER BY l.id LIMIT 1""",
        [invoice for invoice, _ in billing.open_invoices(connection, 1000)],
    )
    return found[0]


def fresh(connection: Connection, count: int = 1) -> list[list[str]]:
    """Lines that do not exist yet, each on another open invoice."""
    return [
        [invoice, unit, "sonstige", "Neue Zeile", "10.00", "20", ""]
        for invoice, unit in billing.open_invoices(connection, count)
    ]


def with_cell(line: list[str], name: str, value: str) -> list[str]:
    changed = list(line)
    changed[HEADER.index(name)] = value
    return changed


def lock_month(connection: Connection, invoice: str) -> None:
    """Lock the invoice's month for its organization."""
    connection.execute(
        """INSERT INTO booking_periods (organization_id, year, month, is_locked)
        SELECT p.organization_id, m.year, m.month, true FROM monthly_invoices m
        JOIN units u ON u.id = m.unit_id JOIN properties p ON p.id = u.property_id
        WHERE m.id = %s
        ON CONFLICT (organization_id, year, month) DO UPDATE SET is_locked = true""",
        (invoice,),
    )


def cancel(connection: Connection, invoice: str) -> None:
    """Cancel an invoice, in a database whose enum knows the word only now."""
    connection.execute("ALTER TYPE invoice_status ADD VALUE IF NOT EXISTS 'storniert'")
    connection.execute("UPDATE monthly_invoices SET status = 'storniert' WHERE id = %s", (invoice,))


INVISIBLE = ("\u200b", "\u00ad", "\ufeff", "\u2060", "\u200e", "\u202e", "\ufe0f", "\u034f")
