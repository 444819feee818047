-- What the incident adds in generation "app": a NULL paid amount, and an earlier run's records.

UPDATE monthly_invoices AS i SET paid_amount = NULL
FROM seed_variances AS v WHERE v.id = i.id AND v.kind = 'null';

INSERT INTO audit_logs (
    id, action, table_name, record_id, old_data, new_data, run_id, created_at
)
SELECT
    pg_temp.make_id('older audit', place), 'upsert_missing_lines', 'invoice_lines', id::text,
    CASE WHEN operation = 'update' THEN
        jsonb_build_object('old_amount', amount, 'old_description', description) END,
    jsonb_build_object(
        'run_id', run_id, 'chunk_id', 0, 'new_amount', amount, 'new_description', description,
        'operation', operation
    ),
    run_id, timestamptz '2026-02-03 09:15:00+00' + place * interval '1 microsecond'
FROM seed_older
ORDER BY place;

-- The same tool's batch form writes one row whose record_id is no uuid.
INSERT INTO audit_logs (id, action, table_name, record_id, run_id, details, created_at)
VALUES (
    pg_temp.make_id('older audit', 100), 'batch_upsert', 'invoice_lines', 'manual-batch-1770109200000',
    'manual-batch-1770109200000', '{"inserted": 0, "updated": 0}', '2026-02-03 09:20:00+00'
);

INSERT INTO reconcile_runs (
    id, run_id, status, inserted, updated, total_rows, started_at, completed_at, created_at
)
SELECT
    pg_temp.make_id('older run', 0), run_id, 'completed', 5, 3, 8, '2026-02-03 09:15:00+00',
    '2026-02-03 09:15:01.2+00', '2026-02-03 09:15:00+00'
FROM seed_older WHERE place = 1;
