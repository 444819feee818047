-- name: create_staged
-- Makes the temporary table that takes the file's records as text.
CREATE TEMP TABLE ops_staged (
  n bigint, line bigint, fault text,
  invoice_id text, unit_id text, line_type text, description text,
  amount text, tax_rate text, meta text, tenant_id text, normalized_description text
);

-- name: create_probe
-- Makes an empty temporary twin of invoice_lines, for the database's own trigger to work on.
CREATE TEMP TABLE ops_probe AS
SELECT 0::bigint AS ops_n, 0::bigint AS ops_line, ''::text AS ops_own, l.* FROM invoice_lines l LIMIT 0;

-- name: create_probe_trigger
-- Gives the twin the row trigger of invoice_lines, so that the key is the database's and never guessed.
CREATE TRIGGER {name} BEFORE INSERT ON ops_probe FOR EACH ROW EXECUTE FUNCTION {function}();

-- name: create_problems
-- Makes the temporary table of findings by line.
CREATE TEMP TABLE ops_problems (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigint NOT NULL, line bigint NOT NULL,
  kind text NOT NULL, code text NOT NULL, value text, record text
);

-- name: create_plan
-- Makes the temporary table of the plan, one row for each record of the file.
CREATE TEMP TABLE ops_plan (
  n bigint PRIMARY KEY, line bigint NOT NULL, kind text NOT NULL, code text,
  line_id uuid, before jsonb,
  invoice_id uuid, unit_id uuid, line_type text, description text,
  amount numeric, tax_rate integer, meta jsonb, db_key text, own_key text
);

-- name: copy_staged
-- Takes the file's records into the temporary table.
COPY ops_staged (n, line, fault, {header}) FROM STDIN (NULL '');

-- name: analyze_probe
-- Tells the planner how large the temporary twin is, by the columns that joins use.
ANALYZE ops_probe (invoice_id, line_type);

-- name: analyze_plan
-- Tells the planner how large the plan is, by the columns that joins use.
ANALYZE ops_plan (kind, line_id, invoice_id);

-- name: resolve_tenants
-- Finds the invoice of a tenant's line by the month and year that its description ends with.
WITH months (name, month) AS (
  VALUES ('jänner', 1), ('januar', 1), ('februar', 2), ('feber', 2), ('märz', 3), ('april', 4),
         ('mai', 5), ('juni', 6), ('juli', 7), ('august', 8), ('september', 9), ('oktober', 10),
         ('november', 11), ('dezember', 12)
), named AS (
  SELECT s.n, s.tenant_id, m.month, (found.part)[2]::int AS year
  FROM ops_staged s
  CROSS JOIN LATERAL (
    SELECT regexp_match({own_key}, '(\S+) ([0-9]{{4}})$') AS part
  ) found
  LEFT JOIN months m ON m.name = (found.part)[1]
  WHERE s.fault IS NULL AND {valid_tenant}
), resolved AS (
  SELECT named.n, count(i.id) AS hits, min(i.id::text) AS invoice_id, count(named.month) > 0 AS dated
  FROM named
  LEFT JOIN monthly_invoices i
    ON i.tenant_id = named.tenant_id::uuid AND i.year = named.year AND i.month = named.month
  GROUP BY named.n
)
UPDATE ops_staged s
SET invoice_id = CASE WHEN r.hits = 1 THEN r.invoice_id END,
    fault = CASE WHEN r.hits = 1 THEN NULL WHEN NOT r.dated THEN 'period'
                 WHEN r.hits = 0 THEN 'no_invoice' ELSE 'many_invoices' END
FROM resolved r WHERE r.n = s.n;

-- name: tenants_unread
-- Marks the tenant lines whose tenant id is no UUID.
UPDATE ops_staged s SET fault = 'tenant_id'
WHERE s.fault IS NULL AND (s.tenant_id IS NULL OR NOT {valid_tenant});

-- name: find_text_problems
-- Lists every value that cannot be taken as it is written, each with its line.
INSERT INTO ops_problems (n, line, kind, code, value, record)
SELECT s.n, s.line, 'rejected', p.code, p.value, coalesce(s.invoice_id, s.tenant_id)
FROM ops_staged s
CROSS JOIN LATERAL (VALUES
  (split_part(s.fault, ':', 1),
    CASE split_part(s.fault, ':', 1) WHEN 'fields' THEN split_part(s.fault, ':', 2)
      WHEN 'meta' THEN s.meta WHEN 'tenant_id' THEN s.tenant_id ELSE s.description END,
    s.fault IS NOT NULL),
  ('invoice_id', s.invoice_id,
    NOT {valid_invoice}
      OR (s.invoice_id IS NULL AND coalesce(s.fault, 'meta') = 'meta' AND NOT %(by_tenant)s)),
  ('unit_id', s.unit_id, NOT {valid_unit}),
  ('line_type', s.line_type, s.line_type IS NULL OR s.line_type <> ALL (%(line_types)s::text[])),
  ('description', s.description, s.description IS NULL OR s.description !~ %(visible)s),
  ('description_long', octet_length(s.description)::text, octet_length(s.description) > %(longest)s),
  ('amount', s.amount, s.amount IS NULL OR s.amount !~ %(amount)s),
  ('tax_rate', s.tax_rate, s.tax_rate IS NULL OR s.tax_rate <> ALL (%(tax_rates)s::text[]))
) AS p (code, value, wrong)
WHERE (s.fault IS NOT NULL OR s.invoice_id IS NULL OR NOT {valid_invoice} OR NOT {valid_unit}
       OR s.amount IS NULL OR s.amount !~ %(amount)s
       OR s.tax_rate IS NULL OR s.tax_rate <> ALL (%(tax_rates)s::text[])
       OR s.line_type IS NULL OR s.line_type <> ALL (%(line_types)s::text[])
       OR s.description IS NULL OR s.description !~ %(visible)s OR octet_length(s.description) > %(longest)s)
  AND p.wrong IS TRUE AND (p.code = 'fields' OR s.fault IS NULL OR s.fault NOT LIKE 'fields:%%')
ORDER BY s.n;

-- name: fill_probe
-- Stores the readable records in the twin, where the database's trigger computes its key.
INSERT INTO ops_probe
  (ops_n, ops_line, ops_own, invoice_id, unit_id, line_type, description, amount, tax_rate, meta)
SELECT s.n, s.line, {own_key}, s.invoice_id::uuid, s.unit_id::uuid, s.line_type, s.description,
       s.amount::numeric, s.tax_rate::int, s.meta::jsonb
FROM ops_staged s
WHERE NOT EXISTS (SELECT FROM ops_problems p WHERE p.n = s.n);

-- name: faulty_records
-- Counts the records with a problem.
SELECT count(DISTINCT n) AS records FROM ops_problems;

-- name: find_discarded
-- Lists the lines that a trigger of the database throws away, so that none leaves the plan unseen.
INSERT INTO ops_problems (n, line, kind, code, value, record)
SELECT s.n, s.line, 'rejected', 'discarded', s.description, s.invoice_id
FROM ops_staged s
WHERE NOT EXISTS (SELECT FROM ops_problems p WHERE p.n = s.n)
  AND NOT EXISTS (SELECT FROM ops_probe d WHERE d.ops_n = s.n)
ORDER BY s.n;

-- name: find_invoice_problems
-- Lists the lines whose invoice or unit is unknown, does not fit, is cancelled or is in a locked month.
WITH invoices AS MATERIALIZED (
  SELECT t.invoice_id, m.id, m.unit_id, m.status::text AS status,
         m.year || '-' || lpad(m.month::text, 2, '0') AS period,
         coalesce({locked}, false) AS locked
  FROM (SELECT DISTINCT invoice_id FROM ops_probe) t
  LEFT JOIN monthly_invoices m ON m.id = t.invoice_id
)
INSERT INTO ops_problems (n, line, kind, code, value, record)
SELECT s.ops_n, s.ops_line, 'rejected', p.code, p.value, s.invoice_id::text
FROM ops_probe s
JOIN invoices i ON i.invoice_id = s.invoice_id
CROSS JOIN LATERAL (VALUES
  ('unknown_invoice', s.invoice_id::text, i.id IS NULL),
  ('unknown_unit', s.unit_id::text,
    i.unit_id <> s.unit_id AND NOT EXISTS (SELECT FROM units u WHERE u.id = s.unit_id)),
  ('other_unit', s.unit_id::text,
    i.unit_id <> s.unit_id AND EXISTS (SELECT FROM units u WHERE u.id = s.unit_id)),
  ('cancelled', i.status, i.status = 'storniert'),
  ('locked_period', i.period, i.locked)
) AS p (code, value, wrong)
WHERE (i.id IS NULL OR i.unit_id <> s.unit_id OR i.status = 'storniert' OR i.locked)
  AND p.wrong IS TRUE
ORDER BY s.ops_n;

-- name: locked_period
-- True where the invoice's month is locked for its organization.
EXISTS (SELECT FROM booking_periods b
         JOIN units lu ON lu.id = m.unit_id JOIN properties lp ON lp.id = lu.property_id
         WHERE b.organization_id = lp.organization_id AND b.year = m.year AND b.month = m.month
           AND b.is_locked);

-- name: never
-- Stands where the schema knows no locked periods or no deleted lines.
false;

-- name: is_deleted
-- True for a line that is deleted softly.
(l.deleted_at IS NOT NULL);

-- name: find_repeats
-- Lists keys that stand twice in the file: equal content keeps its first line, other content none.
WITH keys AS MATERIALIZED (
  SELECT invoice_id, line_type, {probe_key} AS key
  FROM ops_probe GROUP BY invoice_id, line_type, {probe_key} HAVING count(*) > 1
), repeated AS (
  SELECT k.invoice_id, k.line_type, k.key, min(s.ops_line) AS first_line, max(s.ops_line) AS last_line,
         min(s.ops_n) AS first_n,
         count(DISTINCT ROW(s.unit_id, s.amount, s.tax_rate, s.description, s.meta)::text) = 1 AS equal
  FROM keys k
  JOIN ops_probe s ON s.invoice_id = k.invoice_id AND s.line_type = k.line_type AND s.{probe_key} = k.key
  GROUP BY k.invoice_id, k.line_type, k.key
)
INSERT INTO ops_problems (n, line, kind, code, value, record)
SELECT s.ops_n, s.ops_line, CASE WHEN r.equal THEN 'rejected' ELSE 'conflict' END,
       CASE WHEN r.equal THEN 'repeated_line' ELSE 'repeated_key' END,
       CASE WHEN s.ops_n = r.first_n THEN r.last_line ELSE r.first_line END::text, s.invoice_id::text
FROM repeated r
JOIN ops_probe s ON s.invoice_id = r.invoice_id AND s.line_type = r.line_type AND s.{probe_key} = r.key
WHERE (NOT r.equal OR s.ops_n <> r.first_n)
  AND NOT EXISTS (SELECT FROM ops_problems p WHERE p.n = s.ops_n AND p.code LIKE 'repeated%%')
ORDER BY s.ops_n;
