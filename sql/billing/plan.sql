-- name: fill_plan
-- Compares every readable record with the live lines of its invoice and decides what becomes of it.
INSERT INTO ops_plan (n, line, kind, code, line_id, before, invoice_id, unit_id, line_type, description,
                      amount, tax_rate, meta, db_key, own_key)
WITH matches AS (
  SELECT s.ops_n AS n, l.id, to_jsonb(l) AS image,
         l.unit_id IS NOT DISTINCT FROM s.unit_id AND l.{db_key} = s.{db_key} AS same,
         {deleted} AS deleted,
         jsonb_typeof(l.meta) = 'null' AS json_null,
         coalesce(s.meta, l.meta) AS meta,
         ROW(l.amount, l.tax_rate, l.description, l.meta)
           IS NOT DISTINCT FROM ROW(s.amount, s.tax_rate, s.description, coalesce(s.meta, l.meta)) AS equal
  FROM ops_probe s
  JOIN invoice_lines l ON l.invoice_id = s.invoice_id AND l.line_type = s.line_type
   AND (l.{db_key} = s.{db_key} OR {live_own_key} = s.ops_own)
), matched AS (
  SELECT n, count(*) AS hits, coalesce(bool_or(same), false) AS same, bool_or(deleted) AS deleted,
         bool_or(json_null) AS json_null, bool_and(equal) AS equal,
         (array_agg(id))[1] AS id, (array_agg(image))[1] AS image, (array_agg(meta))[1] AS meta
  FROM matches GROUP BY n
), problems AS (
  SELECT DISTINCT ON (n) n, kind, code FROM ops_problems ORDER BY n, kind, id
)
SELECT s.ops_n, s.ops_line, decided.kind, decided.code, m.id, m.image,
       s.invoice_id, s.unit_id, s.line_type, s.description, s.amount, s.tax_rate,
       CASE WHEN m.hits = 1 THEN m.meta ELSE s.meta END, s.{db_key}, s.ops_own
FROM ops_probe s
LEFT JOIN matched m ON m.n = s.ops_n
LEFT JOIN problems p ON p.n = s.ops_n
CROSS JOIN LATERAL (
  SELECT CASE
    WHEN p.kind IS NOT NULL THEN p.kind
    WHEN m.n IS NULL THEN 'insert'
    WHEN m.hits > 1 OR NOT m.same OR m.deleted THEN 'conflict'
    WHEN m.equal THEN 'noop'
    WHEN m.json_null THEN 'conflict'
    ELSE 'update' END AS kind,
  CASE
    WHEN p.kind IS NOT NULL THEN p.code
    WHEN m.n IS NULL THEN NULL
    WHEN m.hits > 1 THEN 'duplicate_group'
    WHEN m.deleted THEN 'soft_deleted'
    WHEN NOT m.same THEN 'twin'
    WHEN m.json_null AND NOT m.equal THEN 'json_null' END AS code
) AS decided
ORDER BY s.ops_n;

-- name: add_unread
-- Adds the records that could not be read, so that the plan has one row for each record of the file.
INSERT INTO ops_plan (n, line, kind, code)
SELECT p.n, min(p.line), 'rejected', (array_agg(p.code ORDER BY p.id))[1]
FROM ops_problems p
WHERE NOT EXISTS (SELECT FROM ops_plan q WHERE q.n = p.n)
GROUP BY p.n;

-- name: list_conflicts
-- Turns the conflicts with live lines into findings.
INSERT INTO ops_problems (n, line, kind, code, value, record)
SELECT q.n, q.line, 'conflict', q.code, q.before ->> 'description', q.line_id::text
FROM ops_plan q
WHERE q.kind = 'conflict' AND NOT EXISTS (SELECT FROM ops_problems p WHERE p.n = q.n)
ORDER BY q.n;

-- name: unknown_lines
-- Lists the selected lines that are no line of the file.
SELECT wanted.line
FROM unnest(%(lines)s::bigint[]) AS wanted (line)
WHERE NOT EXISTS (SELECT FROM ops_plan q WHERE q.line = wanted.line)
ORDER BY 1 LIMIT 5;

-- name: narrow
-- Leaves out of the plan every line that was not selected.
UPDATE ops_plan SET kind = 'unselected', code = NULL
WHERE kind IN ('insert', 'update') AND line <> ALL (%(lines)s::bigint[]);

-- name: totals
-- Counts the rows of the plan by kind, with the money each kind moves.
SELECT kind, count(*) AS rows,
       coalesce(sum(CASE kind WHEN 'insert' THEN amount
                              WHEN 'update' THEN amount - (before ->> 'amount')::numeric END), 0) AS money
FROM ops_plan GROUP BY kind;

-- name: touched
-- Counts the invoices that the plan touches and how many of them are already paid.
SELECT count(*) AS invoices, count(*) FILTER (WHERE m.status::text = 'bezahlt') AS paid
FROM monthly_invoices m
WHERE m.id IN (SELECT invoice_id FROM ops_plan WHERE kind IN ('insert', 'update'));

-- name: digest
-- Digests every row whose fate the file alone does not decide, in the order of the file.
SELECT coalesce(encode(sha256(string_agg(
         sha256(convert_to(ROW(n, kind, code, line_id, before)::text, 'UTF8')), ''::bytea ORDER BY n)),
         'hex'), '') AS digest
FROM ops_plan WHERE kind <> 'insert';

-- name: fingerprint
-- Sums up the versions of all lines of the touched invoices, to see later whether any has moved.
SELECT count(*) AS lines, coalesce(sum(hashtextextended(l.id::text || l.xmin::text, 0)::numeric), 0)::text AS sum
FROM invoice_lines l
WHERE l.invoice_id IN (SELECT invoice_id FROM ops_plan WHERE kind IN ('insert', 'update'));

-- name: page
-- Reads one page of the plan by its place in the file; looks for the file's words only of rows without a line.
WITH page AS MATERIALIZED (
  SELECT q.*
  FROM ops_plan q
  WHERE q.n > %(after)s AND (%(kinds)s::text[] = '{{}}' OR q.kind = ANY (%(kinds)s::text[]))
    AND (%(search)s = '' OR strpos(lower(concat_ws(' ', q.invoice_id, q.line_type, q.description, q.line)),
                                   lower(%(search)s)) > 0)
  ORDER BY q.n LIMIT %(size)s
)
SELECT q.n, q.line, q.kind, q.code, q.line_id::text AS line_id, q.before,
       CASE WHEN q.invoice_id IS NULL THEN
         jsonb_build_object('invoice_id', s.invoice_id, 'unit_id', s.unit_id, 'line_type', s.line_type,
           'description', s.description, 'amount', s.amount, 'tax_rate', s.tax_rate, 'meta', s.meta)
       ELSE jsonb_build_object('invoice_id', q.invoice_id, 'unit_id', q.unit_id, 'line_type', q.line_type,
           'description', q.description, 'amount', q.amount, 'tax_rate', q.tax_rate, 'meta', q.meta) END AS after
FROM page q
LEFT JOIN (ops_staged s JOIN (SELECT n FROM page WHERE invoice_id IS NULL) unread USING (n)) USING (n)
ORDER BY q.n;

-- name: findings
-- Reads findings by line, those a human must decide before those that are only rejected.
SELECT p.id, p.line, p.kind, p.code, p.value, p.record
FROM ops_problems p
ORDER BY p.kind, p.n, p.id OFFSET %(after)s LIMIT %(size)s;

-- name: finding_count
-- Counts the findings.
SELECT count(*) AS findings FROM ops_problems;
