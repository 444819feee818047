-- step: Write many audit rows in one statement: they share one time stamp, so the trigger gives
-- several of them the same parent.
SET TimeZone = 'UTC';
INSERT INTO audit_logs (id, action, table_name, record_id, new_data, created_at)
SELECT
    overlay(md5('fork' || k) PLACING '4' FROM 13)::uuid, 'upsert_missing_lines', 'invoice_lines',
    overlay(md5('line' || k) PLACING '4' FROM 13)::uuid,
    jsonb_build_object('run_id', 'manual-20260207-fix31', 'chunk_id', 0, 'operation', 'insert'),
    '2026-02-08 12:00:00.123456+00'
FROM generate_series(1, 64) AS k;
