COPY (
    SELECT invoice_id, unit_id, line_type, description, amount, tax_rate, meta
    FROM seed_missing
    ORDER BY year, month, unit_id, invoice_id, line_type, description
) TO STDOUT WITH (FORMAT csv, HEADER true)
