-- What the incident adds in generation "cloud": an older, soft-deleted rent beside the live one,
-- and an earlier run's records.

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

INSERT INTO audit_logs (
    id, user_id, action, table_name, record_id, old_data, new_data, created_at
)
SELECT
    pg_temp.make_id('older audit', place), pg_temp.make_id('user', 0), 'upsert_missing_lines', 'invoice_lines', id,
    CASE WHEN operation = 'update' THEN
        jsonb_build_object('old_amount', amount, 'old_description', description) END,
    jsonb_build_object(
        'run_id', run_id, 'chunk_id', 0, 'new_amount', amount, 'new_description', description,
        'operation', operation
    ),
    timestamptz '2026-02-03 09:15:00+00' + place * interval '1 microsecond'
FROM seed_older
ORDER BY place;

INSERT INTO reconcile_runs (
    id, run_id, chunk_id, total_chunks, status, rows_in_chunk, inserted, updated, started_at,
    completed_at, created_at
)
SELECT
    pg_temp.make_id('older run', 0), run_id, 0, 1, 'done', 8, 5, 3, '2026-02-03 09:15:00+00',
    '2026-02-03 09:15:01.2+00', '2026-02-03 09:15:00+00'
FROM seed_older WHERE place = 1;
