-- name: create_undo
-- Makes the temporary table of the rollback's plan, one row for each line that the run touched.
CREATE TEMP TABLE ops_undo (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  record text NOT NULL, line_id uuid, invoice_id uuid,
  act text NOT NULL, class text NOT NULL, chosen boolean NOT NULL DEFAULT false,
  before jsonb, after jsonb, current jsonb, version xid
);

-- name: fill_undo
-- Compares every image that the run left with the line as it is now, and decides what can be undone.
INSERT INTO ops_undo (record, line_id, invoice_id, act, class, chosen, before, after, current, version)
SELECT coalesce(d.record, 'audit row ' || d.id), d.line_id,
       coalesce(d.current ->> 'invoice_id', d.before ->> 'invoice_id')::uuid,
       CASE WHEN d.before IS NULL THEN 'delete' WHEN d.current IS NULL THEN 'insert' ELSE 'restore' END,
       d.class,
       (d.class = 'clean' AND (%(keep)s::text[] = '{{}}' OR d.record <> ALL (%(keep)s::text[])))
         OR (d.class IN ('changed', 'gone') AND d.record = ANY (%(restore)s::text[])
             AND NOT (d.before IS NULL AND d.current IS NULL)),
       d.before, d.after, d.current, d.version
FROM (
  SELECT c.*, CASE
    WHEN c.line_id IS NULL THEN 'unreadable'
    WHEN NOT c.whole AND c.op IS DISTINCT FROM 'insert' THEN 'manual'
    WHEN c.current IS NOT DISTINCT FROM c.before THEN 'done'
    WHEN c.current IS NULL AND c.after IS NOT NULL THEN 'gone'
    WHEN c.whole AND c.current IS DISTINCT FROM c.after THEN 'changed'
    WHEN NOT c.whole AND NOT c.partly THEN 'changed'
    ELSE 'clean' END AS class
  FROM (
    SELECT i.*, CASE WHEN l.id IS NOT NULL THEN to_jsonb(l) END AS current, l.xmin AS version,
           NOT i.whole AND coalesce(l.amount = (i.after ->> 'new_amount')::numeric
                                    AND l.description = i.after ->> 'new_description', false) AS partly
    FROM (
      SELECT a.id, a.record_id::text AS record, a.new_data ? 'row' AS whole, a.new_data ->> 'operation' AS op,
             CASE WHEN a.new_data ? 'row' THEN a.old_data END AS before,
             CASE WHEN a.new_data ? 'row' THEN nullif(a.new_data -> 'row', 'null') ELSE a.new_data END AS after,
             {record} AS line_id
      FROM audit_logs a
      WHERE a.action = ANY (%(actions)s::text[]) AND a.new_data ->> 'run_id' = %(run_id)s
      OFFSET 0
    ) i
    LEFT JOIN invoice_lines l ON l.id = i.line_id
    OFFSET 0
  ) c
  OFFSET 0
) d;

-- name: analyze_undo
-- Tells the planner how large the rollback's plan is, by the columns that joins use.
ANALYZE ops_undo (class, act, chosen, line_id, invoice_id, record);

-- name: protect_repeated
-- Keeps lines that stand several times in the run's audit rows, so that no single image is the true one.
UPDATE ops_undo SET class = 'unreadable'
WHERE record IN (SELECT record FROM ops_undo GROUP BY record HAVING count(*) > 1);

-- name: protect_referenced
-- Keeps lines that another table's foreign key points at.
UPDATE ops_undo u SET class = 'referenced'
WHERE u.act = 'delete' AND u.class IN ('clean', 'changed')
  AND EXISTS (SELECT FROM {table} r WHERE r.{column} = u.line_id);

-- name: protect_merged
-- Keeps lines that a merge of duplicates counts on.
UPDATE ops_undo u SET class = 'merged'
WHERE u.class IN ('clean', 'changed', 'gone')
  AND EXISTS (SELECT FROM merge_tombstones t
              WHERE t.undone_at IS NULL AND (t.canonical_id = u.line_id OR u.line_id = ANY (t.deleted_row_ids)));

-- name: protect_taken
-- Keeps apart lines whose key another line has taken since.
UPDATE ops_undo u SET class = 'key_taken'
FROM invoice_lines l
WHERE u.act IN ('insert', 'restore') AND u.class IN ('clean', 'changed', 'gone')
  AND l.invoice_id = u.invoice_id AND l.line_type = u.before ->> 'line_type'
  AND l.{db_key} = u.before ->> %(db_key)s
  AND l.unit_id IS NOT DISTINCT FROM (u.before ->> 'unit_id')::uuid AND l.id <> u.line_id;

-- name: protect_closed
-- Keeps the lines of cancelled invoices and locked months.
UPDATE ops_undo u SET class = 'closed'
FROM monthly_invoices m
WHERE m.id = u.invoice_id AND u.class IN ('clean', 'changed', 'gone')
  AND (m.status::text = 'storniert' OR {locked});

-- name: protect_orphans
-- Keeps apart lines whose invoice is gone.
UPDATE ops_undo u SET class = 'no_invoice'
WHERE u.act IN ('insert', 'restore') AND u.class IN ('clean', 'changed', 'gone')
  AND NOT EXISTS (SELECT FROM monthly_invoices m WHERE m.id = u.invoice_id);

-- name: strangers
-- Lists the decisions that name no line of the run, or one that is not to be decided.
SELECT d.record
FROM (SELECT unnest(%(restore)s::text[]) AS record, true AS restores
      UNION ALL SELECT unnest(%(keep)s::text[]), false) d
WHERE NOT EXISTS (SELECT FROM ops_undo u
                  WHERE u.record = d.record AND (NOT d.restores OR u.class IN ('changed', 'gone')))
ORDER BY 1;

-- name: leave_protected
-- Leaves out of the plan what is protected, whatever was decided about it.
UPDATE ops_undo SET chosen = false WHERE chosen AND class NOT IN ('clean', 'changed', 'gone');

-- name: totals
-- Counts the rows of the plan by class, and the money that the chosen ones move.
SELECT class, act, chosen, count(*) AS rows,
       coalesce(sum(coalesce((before ->> 'amount')::numeric, 0) - coalesce((current ->> 'amount')::numeric, 0))
                FILTER (WHERE chosen), 0) AS money
FROM ops_undo GROUP BY class, act, chosen ORDER BY class, act, chosen;

-- name: digest
-- Digests the plan; a clean row's content is the run's own, so its name stands for it.
SELECT encode(sha256(
         coalesce(string_agg(uuid_send(line_id) || act::bytea || chosen::text::bytea, ''::bytea ORDER BY line_id)
                  FILTER (WHERE class = 'clean'), ''::bytea) || '|'::bytea ||
         coalesce(string_agg(sha256(convert_to(ROW(record, act, class, chosen, before, current)::text, 'UTF8')),
                             ''::bytea ORDER BY record, n) FILTER (WHERE class <> 'clean'), ''::bytea)), 'hex') AS digest
FROM ops_undo;

-- name: page
-- Reads one page of the rollback's plan in the order of the run.
SELECT u.n, u.record, u.act, u.class, u.chosen, u.before, u.after, u.current
FROM ops_undo u
WHERE u.n > %(after)s AND (%(kinds)s::text[] = '{{}}' OR u.class = ANY (%(kinds)s::text[]))
  AND (%(search)s = '' OR strpos(lower(concat_ws(' ', u.record, u.current, u.before)), lower(%(search)s)) > 0)
ORDER BY u.n LIMIT %(size)s;

-- name: conflicts
-- Reads the rows that are not undone by themselves.
SELECT u.n, u.record, u.act, u.class, u.chosen
FROM ops_undo u WHERE u.class NOT IN ('clean', 'done')
ORDER BY u.n OFFSET %(after)s LIMIT %(size)s;

-- name: lock_invoices
-- Locks the invoices of the chosen lines in key order.
SELECT count(*) AS locked FROM (
  SELECT m.id FROM monthly_invoices m
  WHERE m.id IN (SELECT invoice_id FROM ops_undo WHERE chosen)
  ORDER BY m.id FOR UPDATE OF m
) held;

-- name: lock_lines
-- Locks the chosen lines in key order.
SELECT count(*) AS locked FROM (
  SELECT l.id FROM invoice_lines l JOIN ops_undo u ON u.line_id = l.id
  WHERE u.chosen
  ORDER BY l.id FOR UPDATE OF l
) held;

-- name: stale
-- Lists the chosen lines that are no longer as the plan saw them, or that others count on by now.
SELECT u.record
FROM ops_undo u LEFT JOIN invoice_lines l ON l.id = u.line_id
WHERE u.chosen
  AND (u.class NOT IN ('clean', 'changed', 'gone')
       OR l.xmin IS DISTINCT FROM u.version
          AND CASE WHEN l.id IS NOT NULL THEN to_jsonb(l) END IS DISTINCT FROM u.current)
ORDER BY u.n LIMIT %(size)s;

-- name: delete_batch
-- Deletes one batch of lines that the run inserted, with their audit rows, and measures both.
WITH written AS (
  DELETE FROM invoice_lines l USING ops_undo u
  WHERE u.chosen AND u.act = 'delete' AND u.n > %(low)s AND u.n <= %(high)s
    AND l.id = u.line_id AND l.invoice_id = u.invoice_id
  RETURNING l.id, u.current AS old, NULL::jsonb AS image, -l.amount AS delta
), logged AS (
  INSERT INTO audit_logs ({columns})
  SELECT {columns} FROM (
    SELECT 'rollback_missing_lines' AS action, 'invoice_lines' AS table_name, w.id AS record_id, w.old AS old_data,
           jsonb_build_object('run_id', %(run_id)s::text, 'rolled_back', %(undone)s::text,
                              'operation', 'delete', 'row', w.image) AS new_data,
           %(base)s::timestamptz + (%(done)s + row_number() OVER ()) * interval '1 microsecond' AS created_at,
           %(run_id)s::text AS run_id
    FROM written w
  ) entry
  RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS rows, (SELECT count(*) FROM logged) AS logged,
       (SELECT coalesce(sum(delta), 0) FROM written) AS money;

-- name: restore_batch
-- Gives one batch of lines their former values back, with their audit rows, and measures both.
WITH written AS (
  UPDATE invoice_lines AS l
  SET ({line_columns}) = (
    SELECT {line_columns} FROM jsonb_populate_record(l, (
      SELECT jsonb_object_agg(b.key, b.value) FROM jsonb_each(u.before) b
      WHERE u.current -> b.key IS DISTINCT FROM b.value)))
  FROM ops_undo u
  WHERE u.chosen AND u.act = 'restore' AND u.n > %(low)s AND u.n <= %(high)s
    AND l.id = u.line_id AND l.invoice_id = u.invoice_id
  RETURNING l.id, u.current AS old, to_jsonb(l) AS image, l.amount - (u.current ->> 'amount')::numeric AS delta
), logged AS (
  INSERT INTO audit_logs ({columns})
  SELECT {columns} FROM (
    SELECT 'rollback_missing_lines' AS action, 'invoice_lines' AS table_name, w.id AS record_id, w.old AS old_data,
           jsonb_build_object('run_id', %(run_id)s::text, 'rolled_back', %(undone)s::text,
                              'operation', 'restore', 'row', w.image) AS new_data,
           %(base)s::timestamptz + (%(done)s + row_number() OVER ()) * interval '1 microsecond' AS created_at,
           %(run_id)s::text AS run_id
    FROM written w
  ) entry
  RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS rows, (SELECT count(*) FROM logged) AS logged,
       (SELECT coalesce(sum(delta), 0) FROM written) AS money;

-- name: insert_batch
-- Puts one batch of lines back that the run deleted, with their audit rows, and measures both.
WITH written AS (
  INSERT INTO invoice_lines AS l ({line_columns}) OVERRIDING SYSTEM VALUE
  SELECT {row_columns} FROM ops_undo u
  CROSS JOIN LATERAL jsonb_populate_record(NULL::invoice_lines, u.before) b
  WHERE u.chosen AND u.act = 'insert' AND u.n > %(low)s AND u.n <= %(high)s
  ORDER BY u.n
  RETURNING l.id, NULL::jsonb AS old, to_jsonb(l) AS image, l.amount AS delta
), logged AS (
  INSERT INTO audit_logs ({columns})
  SELECT {columns} FROM (
    SELECT 'rollback_missing_lines' AS action, 'invoice_lines' AS table_name, w.id AS record_id, w.old AS old_data,
           jsonb_build_object('run_id', %(run_id)s::text, 'rolled_back', %(undone)s::text,
                              'operation', 'insert', 'row', w.image) AS new_data,
           %(base)s::timestamptz + (%(done)s + row_number() OVER ()) * interval '1 microsecond' AS created_at,
           %(run_id)s::text AS run_id
    FROM written w
  ) entry
  RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS rows, (SELECT count(*) FROM logged) AS logged,
       (SELECT coalesce(sum(delta), 0) FROM written) AS money;
