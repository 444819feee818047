-- The console's own schema: the ledger of runs. One row per run id, written as the first statement of
-- the run's transaction, so it is lock, proof and replay guard at once.
CREATE SCHEMA IF NOT EXISTS ops_console;

CREATE TABLE ops_console.runs (
  run_id text PRIMARY KEY CHECK (run_id ~ '^[a-z0-9][a-z0-9-]{7,63}$'),
  verdict text NOT NULL CHECK (verdict IN ('applied', 'abandoned')),
  operation text NOT NULL,
  plan_digest text,
  counts jsonb,
  money jsonb,
  undoes text,
  retry_of text,
  session_id text,
  log_head text,
  operator text NOT NULL,
  reason text,
  actor text NOT NULL DEFAULT session_user,
  marked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  transaction_id text NOT NULL DEFAULT pg_current_xact_id()::text
);
CREATE INDEX runs_by_time ON ops_console.runs (marked_at);

CREATE FUNCTION ops_console.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'ops_console.% is append-only', TG_TABLE_NAME USING ERRCODE = '55000';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ops_console.runs
  FOR EACH ROW EXECUTE FUNCTION ops_console.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON ops_console.runs
  FOR EACH STATEMENT EXECUTE FUNCTION ops_console.refuse_change();
