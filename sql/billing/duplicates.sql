-- name: groups
-- Lists keys that stand on several lines, by the database's stored key and by the console's own.
WITH keyed AS (
  SELECT l.id, l.invoice_id, l.unit_id, l.line_type, l.description, l.amount, l.created_at,
         l.{db_key} AS db_key, {live_own_key} AS own_key, {deleted} AS deleted,
         regexp_replace(lower(trim(l.description)), '\s+', ' ', 'g') AS precheck_key
  FROM invoice_lines l
)
SELECT g.*, count(*) OVER () AS groups
FROM (
  SELECT k.invoice_id::text AS invoice_id, k.line_type, k.own_key,
         count(*) AS lines,
         count(*) FILTER (WHERE NOT k.deleted) AS live,
         count(DISTINCT k.db_key) FILTER (WHERE NOT k.deleted) AS db_keys,
         count(DISTINCT k.precheck_key) FILTER (WHERE NOT k.deleted) AS precheck_keys,
         count(*) FILTER (WHERE k.db_key IS NULL) AS without_key,
         count(*) FILTER (WHERE k.db_key IS DISTINCT FROM k.precheck_key) AS stale_keys,
         count(DISTINCT coalesce(k.unit_id::text, '')) AS units,
         count(*) FILTER (WHERE k.unit_id IS NULL) AS without_unit,
         array_agg(k.id::text ORDER BY k.created_at DESC, k.id) AS ids,
         array_agg(k.description ORDER BY k.created_at DESC, k.id) AS descriptions,
         array_agg(k.db_key ORDER BY k.created_at DESC, k.id) AS stored_keys,
         array_agg(k.amount::text ORDER BY k.created_at DESC, k.id) AS amounts,
         array_agg(k.deleted ORDER BY k.created_at DESC, k.id) AS deleted
  FROM keyed k
  GROUP BY k.invoice_id, k.line_type, k.own_key
  HAVING count(*) > 1
) g
ORDER BY g.live > 1 DESC, g.invoice_id, g.line_type, g.own_key
LIMIT %(size)s;

-- name: runbook_groups
-- Counts the groups as the runbook's section 1.2 does, deleted lines included.
SELECT count(*) AS groups FROM (
  SELECT FROM invoice_lines
  GROUP BY invoice_id, unit_id, line_type, regexp_replace(lower(trim(description)), '\s+', ' ', 'g')
  HAVING count(*) > 1
) duplicated;
