"""The bare form of the same change: COPY, INSERT ... ON CONFLICT, audit INSERT with images."""

from __future__ import annotations

from pathlib import Path

import psycopg

_STAGE = """CREATE TEMP TABLE bare (
  invoice_id uuid, unit_id uuid, line_type text, description text, amount numeric, tax_rate int,
  meta jsonb
) ON COMMIT DROP"""

_BEFORE = """CREATE TEMP TABLE bare_before ON COMMIT DROP AS
SELECT l.id, to_jsonb(l) AS image
FROM bare b JOIN invoice_lines l
  ON l.invoice_id = b.invoice_id AND l.unit_id = b.unit_id AND l.line_type = b.line_type
 AND l.normalized_description = regexp_replace(lower(trim(b.description)), '\\s+', ' ', 'g')
FOR UPDATE OF l"""

_WRITE = """WITH written AS (
  INSERT INTO invoice_lines AS l
    (invoice_id, unit_id, line_type, description, amount, tax_rate, meta)
  SELECT invoice_id, unit_id, line_type, description, amount, tax_rate, meta FROM bare
  ON CONFLICT (invoice_id, unit_id, line_type, normalized_description)
  DO UPDATE SET amount = excluded.amount, tax_rate = excluded.tax_rate, meta = excluded.meta
  RETURNING l.id, to_jsonb(l) AS image
)
INSERT INTO audit_logs (action, table_name, record_id, old_data, new_data)
SELECT 'upsert_missing_lines', 'invoice_lines', w.id, b.image,
       jsonb_build_object('run_id', 'bare', 'operation',
         CASE WHEN b.id IS NULL THEN 'insert' ELSE 'update' END, 'row', w.image)
FROM written w LEFT JOIN bare_before b USING (id)"""


def bare_upsert(url: str, csv: Path) -> None:
    """Do it in one transaction, with the file sent as raw blocks."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with (
            csv.open("rb") as file,
            cursor.copy("COPY bare FROM STDIN (FORMAT csv, HEADER)") as copy,
        ):
            while block := file.read(65536):
                copy.write(block)
        cursor.execute("ANALYZE bare")
        cursor.execute(_BEFORE)
        cursor.execute("ANALYZE bare_before")
        cursor.execute(_WRITE)
        connection.commit()
