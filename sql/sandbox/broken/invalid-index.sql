-- step: Drop the sound index and let one line exist twice.
DROP INDEX IF EXISTS invoice_lines_unique_idx, idx_invoice_lines_dedup;
INSERT INTO invoice_lines (
    id, invoice_id, unit_id, line_type, description, amount, tax_rate, meta, created_at
)
SELECT
    overlay(md5('copy' || id::text) PLACING '4' FROM 13)::uuid, invoice_id, unit_id, line_type,
    description, amount, tax_rate, meta, created_at + interval '1 hour'
FROM invoice_lines
ORDER BY id LIMIT 1;

-- step, must fail: Build the index again: the duplicate stops it and leaves an invalid index behind.
CREATE UNIQUE INDEX CONCURRENTLY idx_invoice_lines_dedup
    ON invoice_lines (invoice_id, unit_id, line_type, normalized_description);
