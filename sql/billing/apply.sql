-- name: lock_invoices
-- Locks the touched invoices in key order, so that no line of theirs appears or goes meanwhile.
SELECT count(*) AS locked FROM (
  SELECT m.id FROM monthly_invoices m
  WHERE m.id IN (SELECT invoice_id FROM ops_plan WHERE kind IN ('insert', 'update'))
  ORDER BY m.id FOR UPDATE OF m
) held;

-- name: lock_lines
-- Locks the lines to be updated in key order.
SELECT count(*) AS locked FROM (
  SELECT l.id FROM invoice_lines l
  JOIN ops_plan q ON q.line_id = l.id AND q.invoice_id = l.invoice_id
  WHERE q.kind = 'update'
  ORDER BY l.id FOR UPDATE OF l
) held;

-- name: stale
-- Lists the planned rows whose line or invoice is no longer as the plan saw it.
SELECT q.line, q.kind, q.line_id::text AS line_id
FROM ops_plan q
LEFT JOIN invoice_lines l ON l.id = q.line_id AND l.invoice_id = q.invoice_id
WHERE q.kind = 'update' AND (l.id IS NULL OR to_jsonb(l) <> q.before)
UNION ALL
SELECT q.line, q.kind, l.id::text
FROM ops_plan q
JOIN invoice_lines l ON l.invoice_id = q.invoice_id AND l.line_type = q.line_type
 AND (l.{db_key} = q.db_key OR {live_own_key} = q.own_key)
WHERE q.kind = 'insert'
ORDER BY 1 LIMIT %(size)s;

-- name: closed_meanwhile
-- Lists the touched invoices that have been cancelled or whose month has been locked since the plan.
SELECT m.id::text AS invoice_id
FROM monthly_invoices m
WHERE m.id IN (SELECT invoice_id FROM ops_plan WHERE kind IN ('insert', 'update'))
  AND (m.status::text = 'storniert' OR {locked})
ORDER BY m.id LIMIT %(size)s;

-- name: insert_batch
-- Inserts one batch of new lines with their audit rows, and measures both.
WITH written AS (
  INSERT INTO invoice_lines AS l (invoice_id, unit_id, line_type, description, amount, tax_rate, meta)
  SELECT q.invoice_id, q.unit_id, q.line_type, q.description, q.amount, q.tax_rate, q.meta
  FROM ops_plan q WHERE q.kind = 'insert' AND q.n > %(low)s AND q.n <= %(high)s
  ORDER BY q.n
  RETURNING l.id, l.amount, to_jsonb(l) AS image
), logged AS (
  INSERT INTO audit_logs ({columns})
  SELECT {columns} FROM (
    SELECT 'upsert_missing_lines' AS action, 'invoice_lines' AS table_name, w.id AS record_id,
           NULL::jsonb AS old_data,
           jsonb_build_object('run_id', %(run_id)s::text, 'operation', 'insert', 'row', w.image) AS new_data,
           %(base)s::timestamptz + (%(done)s + row_number() OVER ()) * interval '1 microsecond' AS created_at,
           %(run_id)s::text AS run_id
    FROM written w
  ) entry
  RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS rows, (SELECT count(*) FROM logged) AS logged,
       (SELECT coalesce(sum(amount), 0) FROM written) AS money;

-- name: update_batch
-- Updates one batch of lines with their audit rows, and measures both.
WITH written AS (
  UPDATE invoice_lines AS l
  SET description = q.description, amount = q.amount, tax_rate = q.tax_rate, meta = q.meta
  FROM ops_plan q
  WHERE q.kind = 'update' AND q.n > %(low)s AND q.n <= %(high)s
    AND l.id = q.line_id AND l.invoice_id = q.invoice_id
  RETURNING l.id, q.before, to_jsonb(l) AS image, l.amount - (q.before ->> 'amount')::numeric AS delta,
            ROW(l.description, l.amount, l.tax_rate, l.meta)
              IS NOT DISTINCT FROM ROW(q.description, q.amount, q.tax_rate, q.meta) AS as_planned
), logged AS (
  INSERT INTO audit_logs ({columns})
  SELECT {columns} FROM (
    SELECT 'upsert_missing_lines' AS action, 'invoice_lines' AS table_name, w.id AS record_id,
           w.before AS old_data,
           jsonb_build_object('run_id', %(run_id)s::text, 'operation', 'update', 'row', w.image) AS new_data,
           %(base)s::timestamptz + (%(done)s + row_number() OVER ()) * interval '1 microsecond' AS created_at,
           %(run_id)s::text AS run_id
    FROM written w
  ) entry
  RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS rows, (SELECT count(*) FROM logged) AS logged,
       (SELECT coalesce(sum(delta), 0) FROM written) AS money,
       (SELECT count(*) FROM written WHERE NOT as_planned) AS changed;
