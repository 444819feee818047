-- step: Leave the lines without any unique index on their key.
DROP INDEX IF EXISTS invoice_lines_unique_idx, idx_invoice_lines_dedup;
