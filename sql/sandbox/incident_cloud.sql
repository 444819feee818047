-- What the incident adds where lines can be soft-deleted: an older rent beside the live one.

INSERT INTO invoice_lines (
    id, invoice_id, unit_id, line_type, description, amount, tax_rate, meta, created_at, deleted_at
)
SELECT
    pg_temp.make_id('twin line', t.twin_no), l.invoice_id, l.unit_id, l.line_type,
    overlay(l.description PLACING chr(160) FROM strpos(l.description, ' ') FOR 1) || chr(8203),
    l.amount - 50, l.tax_rate, l.meta, l.created_at + interval '1 hour',
    l.created_at + interval '3 days'
FROM seed_twins AS t
INNER JOIN invoice_lines AS l ON l.invoice_id = t.id AND l.line_type = 'grundmiete'
WHERE t.twin_no = 2;
