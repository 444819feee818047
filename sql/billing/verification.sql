-- name: audit_trail
-- Counts a run's audit rows by action and operation, as the runbook's section 4.2 does.
SELECT action, new_data ->> 'operation' AS op, new_data ->> 'run_id' AS run_id, count(*) AS cnt
FROM audit_logs
WHERE action = ANY (%(actions)s::text[]) AND new_data ->> 'run_id' = %(run_id)s
GROUP BY 1, 2, 3 ORDER BY 1, 2;

-- name: run_images
-- Compares a run's after-images with the live lines, and adds up its money in integer cents.
-- Without grouping, so that the comparison runs in parallel and no image is sorted.
SELECT count(*) AS entries,
       count(*) FILTER (WHERE e.op = 'insert') AS insert, count(*) FILTER (WHERE e.op = 'update') AS update,
       count(*) FILTER (WHERE e.op = 'delete') AS delete, count(*) FILTER (WHERE e.op = 'restore') AS restore,
       count(*) FILTER (WHERE e.whole AND to_jsonb(l) IS NOT DISTINCT FROM e.image) AS as_written,
       count(*) FILTER (WHERE e.whole IS NOT TRUE) AS without_image,
       coalesce(sum(((e.image ->> 'amount')::numeric * 100)::bigint), 0)
         - coalesce(sum((e.before * 100)::bigint), 0) AS cents
FROM (
  SELECT a.new_data ->> 'operation' AS op, nullif(a.new_data -> 'row', 'null') AS image,
         (a.old_data ->> 'amount')::numeric AS before, a.new_data ? 'row' AS whole,
         {record} AS line_id
  FROM audit_logs a
  WHERE a.action = ANY (%(actions)s::text[]) AND a.new_data ->> 'run_id' = %(run_id)s
) e
LEFT JOIN invoice_lines l ON l.id = e.line_id;

-- name: total_lines
-- Counts all lines and those that are not deleted softly.
SELECT count(*) AS total_lines, count(*) FILTER (WHERE NOT {deleted}) AS live_lines FROM invoice_lines l;

-- name: duplicate_groups
-- Counts the keys that stand on more than one live line, with empty units counted as equal.
SELECT count(*) AS groups FROM (
  SELECT FROM invoice_lines l
  WHERE NOT {deleted}
  GROUP BY l.invoice_id, l.unit_id, l.line_type, l.{db_key}
  HAVING count(*) > 1
) duplicated;
