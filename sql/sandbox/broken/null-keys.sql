-- step: Clear the key of the older half of the lines, as if they were loaded before the trigger.
ALTER TABLE invoice_lines DISABLE TRIGGER trg_invoice_lines_normalize;
UPDATE invoice_lines SET normalized_description = NULL
WHERE created_at < '2025-09-01 00:00:00+00';
ALTER TABLE invoice_lines ENABLE TRIGGER trg_invoice_lines_normalize;
