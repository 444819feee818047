-- name: identity
-- Tells which server, database and role this is, and what state they are in.
SELECT current_setting('server_version_num')::int AS version,
       current_setting('server_encoding') AS encoding,
       (SELECT system_identifier::text FROM pg_control_system()) AS system_id,
       current_database() AS database,
       (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database_oid,
       (SELECT coalesce(nullif(datcollate, ''), datcollate) FROM pg_database
         WHERE datname = current_database()) AS collation,
       coalesce(host(inet_server_addr()), 'local socket') AS address,
       pg_is_in_recovery() AS in_recovery,
       session_user::text AS session_role,
       current_user::text AS role,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
       (SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user) AS bypasses_row_security,
       (SELECT setting FROM pg_settings WHERE name = 'search_path') AS search_path,
       (SELECT coalesce(setting, '') FROM pg_settings WHERE name = 'TimeZone') AS time_zone,
       (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone') AS server_time_zone,
       pg_backend_pid() AS pid,
       has_database_privilege(current_database(), 'TEMPORARY') AS may_stage,
       has_database_privilege(current_database(), 'CREATE') AS may_create_schema;

-- name: columns
-- Lists the columns of the named tables as the search path finds them.
SELECT wanted.name AS table_name, a.attname AS column_name, format_type(a.atttypid, a.atttypmod) AS type,
       NOT a.attnotnull AS nullable, a.atthasdef AS has_default,
       a.attgenerated <> '' AS generated, a.attidentity <> '' AS identity,
       t.typtype = 'e' AS is_enum,
       information_schema._pg_numeric_precision(a.atttypid, a.atttypmod) AS precision,
       information_schema._pg_numeric_scale(a.atttypid, a.atttypmod) AS scale
FROM unnest(%(tables)s::text[]) AS wanted (name)
JOIN pg_attribute a ON a.attrelid = to_regclass(wanted.name) AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
ORDER BY wanted.name, a.attnum;

-- name: enum_labels
-- Lists the labels of the enum column that holds an invoice's status.
SELECT e.enumlabel AS label
FROM pg_attribute a JOIN pg_enum e ON e.enumtypid = a.atttypid
WHERE a.attrelid = to_regclass('monthly_invoices') AND a.attname = 'status' AND NOT a.attisdropped
ORDER BY e.enumsortorder;

-- name: unique_indexes
-- Lists the unique indexes of invoice_lines with their columns and whether they are valid.
SELECT i.indexrelid::regclass::text AS name, i.indisvalid AND i.indisready AS valid,
       i.indpred IS NOT NULL AS partial, i.indexprs IS NOT NULL AS expressions,
       (SELECT array_agg(a.attname::text ORDER BY k.position)
          FROM unnest(i.indkey[:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, position)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS columns
FROM pg_index i
WHERE i.indrelid = to_regclass('invoice_lines') AND i.indisunique AND NOT i.indisprimary
ORDER BY i.indisvalid DESC, 1;

-- name: invalid_indexes
-- Lists the invalid indexes of invoice_lines, left by an interrupted build.
SELECT i.indexrelid::regclass::text AS name
FROM pg_index i
WHERE i.indrelid = to_regclass('invoice_lines') AND NOT i.indisvalid
ORDER BY 1;

-- name: line_triggers
-- Lists the row triggers of invoice_lines that run before an insert, in firing order.
SELECT t.tgname::text AS name, n.nspname::text AS function_schema, p.proname::text AS function_name,
       t.tgqual IS NOT NULL OR t.tgnargs > 0 OR t.tgattr::text <> '' AS conditional,
       t.tgtype & 4 <> 0 AS on_insert, t.tgtype & 16 <> 0 AS on_update,
       has_function_privilege(t.tgfoid, 'EXECUTE') AS executable
FROM pg_trigger t
JOIN pg_proc p ON p.oid = t.tgfoid
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE t.tgrelid = to_regclass('invoice_lines') AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
  AND t.tgtype & 1 <> 0 AND t.tgtype & 2 <> 0 AND t.tgtype & 4 <> 0
ORDER BY t.tgname;

-- name: late_triggers
-- Lists the triggers of invoice_lines that run after a row was written, or once for a statement.
SELECT t.tgname::text AS name
FROM pg_trigger t
WHERE t.tgrelid = to_regclass('invoice_lines') AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
  AND (t.tgtype & 1 = 0 OR t.tgtype & 66 = 0)
ORDER BY t.tgname;

-- name: audit_triggers
-- Lists the enabled triggers of audit_logs.
SELECT t.tgname::text AS name
FROM pg_trigger t
WHERE t.tgrelid = to_regclass('audit_logs') AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
ORDER BY t.tgname;

-- name: references_to_lines
-- Lists the foreign keys of other tables that point at invoice_lines.
SELECT c.conrelid::regclass::text AS table_name, n.nspname::text AS schema_name, r.relname::text AS relation,
       a.attname::text AS column_name
FROM pg_constraint c
JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND c.confrelid = to_regclass('invoice_lines') AND cardinality(c.conkey) = 1
ORDER BY 1, 4;

-- name: rights
-- Tells which rights the role has on the tables that exist.
SELECT wanted.name AS table_name, privilege
FROM unnest(%(tables)s::text[]) AS wanted (name)
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
WHERE to_regclass(wanted.name) IS NOT NULL AND has_table_privilege(to_regclass(wanted.name), privilege);

-- name: collations
-- Lists the collations that lower-case the same way whatever the database's own collation is.
SELECT collname::text AS name FROM pg_collation
WHERE collnamespace = 'pg_catalog'::regnamespace
  AND collname IN ('pg_unicode_fast', 'pg_c_utf8', 'und-x-icu')
ORDER BY array_position(ARRAY['pg_unicode_fast', 'pg_c_utf8', 'und-x-icu'], collname::text);

-- name: ledger_exists
-- Tells whether the console's own schema is there, and whether this role may use it.
SELECT count(*) > 0 AS present,
       coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
                         AND has_table_privilege(c.oid, 'INSERT')), false) AS usable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'ops_console' AND c.relname = 'runs';

-- name: probe_audit
-- Writes one audit row that is rolled back, to see whether audit rows can be written at all.
INSERT INTO audit_logs ({columns})
SELECT {columns}
FROM (SELECT 'ops_console_probe' AS action, 'audit_logs' AS table_name,
             '00000000-0000-0000-0000-000000000000'::uuid AS record_id,
             NULL::jsonb AS old_data, jsonb_build_object('probe', true) AS new_data,
             clock_timestamp() AS created_at, NULL::text AS run_id) AS probe;
