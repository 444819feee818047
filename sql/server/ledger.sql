-- name: mark
-- Writes the run's marker: lock, proof and replay guard at once.
INSERT INTO ops_console.runs (run_id, verdict, operation, plan_digest, counts, money, undoes, retry_of,
                              session_id, log_head, operator, reason)
VALUES (%(run_id)s, 'applied', %(operation)s, %(digest)s, %(counts)s, %(money)s, %(undoes)s, %(retry_of)s,
        %(session_id)s, %(log_head)s, %(operator)s, %(reason)s)
ON CONFLICT (run_id) DO NOTHING
RETURNING transaction_id;

-- name: fence
-- Writes a tombstone in the run's place, so that it can never commit if it has not.
INSERT INTO ops_console.runs (run_id, verdict, operation, operator)
VALUES (%(run_id)s, 'abandoned', 'settle', %(operator)s)
ON CONFLICT (run_id) DO NOTHING
RETURNING run_id;

-- name: verdict
-- Reads what became of a run.
SELECT run_id, verdict, operation, plan_digest, counts, money, undoes, operator, actor, marked_at, transaction_id
FROM ops_console.runs WHERE run_id = %(run_id)s;

-- name: log_heads
-- Reads the heads of a session's log that its runs have kept.
SELECT run_id, log_head FROM ops_console.runs
WHERE session_id = %(session)s AND log_head <> '' ORDER BY marked_at, run_id;

-- name: holder
-- Tells which server process holds the console's writing lock, and since when.
SELECT a.pid, a.application_name, a.usename::text AS role, a.xact_start, a.backend_start
FROM pg_locks k JOIN pg_stat_activity a ON a.pid = k.pid
WHERE k.locktype = 'advisory' AND k.granted AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (k.classid::bigint << 32 | k.objid::bigint) = hashtextextended('ops_console writes', 0);

-- name: try_lock
-- Takes the console's writing lock for this transaction, if it is free.
SELECT pg_try_advisory_xact_lock(hashtextextended('ops_console writes', 0)) AS taken;

-- name: recent
-- Lists runs, newest first.
SELECT run_id, verdict, operation, counts, money, undoes, retry_of, operator, actor, reason, marked_at, transaction_id
FROM ops_console.runs
WHERE %(before)s::timestamptz IS NULL OR marked_at < %(before)s
ORDER BY marked_at DESC, run_id LIMIT %(size)s;

-- name: identity
-- Reads again, inside the writing transaction, which database this is.
SELECT (SELECT system_identifier::text FROM pg_control_system()) || '/' ||
       (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS server_id,
       pg_is_in_recovery() AS in_recovery;

-- name: audit_base
-- Finds the first moment later than every audit row there is.
SELECT greatest(clock_timestamp(), max(created_at) + interval '1 microsecond') AS base FROM audit_logs;

-- name: pin_index_plan
-- Makes the next statement's plan use the index, and with it the plan that a trigger keeps.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);

-- name: unpin
-- Lets the planner choose freely again.
SELECT set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true);

-- name: start_audit
-- Writes the audit row that opens a run, with the plan's digest and the session log's head.
INSERT INTO audit_logs ({columns})
SELECT {columns} FROM (
  SELECT 'ops_console_run' AS action, 'invoice_lines' AS table_name, NULL::uuid AS record_id, NULL::jsonb AS old_data,
         %(facts)s::jsonb AS new_data, %(base)s::timestamptz AS created_at, %(run_id)s::text AS run_id
) entry;

-- name: grant_schema
-- Lets a role that applies runs reach the ledger.
GRANT USAGE ON SCHEMA ops_console TO {role};

-- name: grant_ledger
-- Lets a role that applies runs read the ledger and add to it; it needs no more.
GRANT SELECT, INSERT ON ops_console.runs TO {role};
