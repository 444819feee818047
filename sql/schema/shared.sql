-- Tables of the users that are the same in both generations, created before the others.

CREATE TABLE organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    created_at timestamptz DEFAULT now()
);

CREATE TABLE billing_runs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    run_id text NOT NULL UNIQUE,
    status text NOT NULL DEFAULT 'pending',
    description text,
    triggered_by uuid,
    expected_lines integer DEFAULT 0,
    total_chunks integer DEFAULT 0,
    completed_chunks integer DEFAULT 0,
    failed_chunks integer DEFAULT 0,
    inserted integer DEFAULT 0,
    updated integer DEFAULT 0,
    skipped integer DEFAULT 0,
    artifacts jsonb DEFAULT '[]',
    error_message text,
    rows_per_second numeric(10, 2),
    peak_chunk_duration_ms integer,
    avg_chunk_duration_ms integer,
    conflict_count integer DEFAULT 0,
    conflict_rate numeric(5, 4),
    scenario_tag text,
    parallel_jobs integer DEFAULT 1,
    batch_size integer DEFAULT 10000,
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

CREATE TABLE merge_tombstones (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    merge_audit_log_id uuid NOT NULL,
    group_id text,
    canonical_id uuid,
    deleted_row_ids uuid[],
    deleted_rows_snapshot jsonb,
    canonical_before_snapshot jsonb,
    merge_policy text,
    merged_by uuid,
    created_at timestamptz DEFAULT now(),
    expires_at timestamptz DEFAULT now() + interval '5 minutes',
    undone_at timestamptz,
    purged_at timestamptz
);

CREATE TABLE booking_periods (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES organizations,
    year integer NOT NULL,
    month integer NOT NULL,
    is_locked boolean NOT NULL DEFAULT false,
    created_at timestamptz DEFAULT now(),
    UNIQUE (organization_id, year, month)
);

CREATE TABLE bank_accounts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES organizations,
    name text NOT NULL,
    bank_id text,
    account_number text,
    currency text NOT NULL DEFAULT 'EUR',
    created_at timestamptz DEFAULT now()
);

CREATE TABLE ofx_ingestions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid REFERENCES bank_accounts,
    status text NOT NULL DEFAULT 'RECEIVED'
        CHECK (status IN ('RECEIVED', 'PROCESSING', 'PROCESSED', 'FAILED', 'ROLLED_BACK')),
    object_key text,
    etag text,
    sha256 text,
    size_bytes bigint,
    rows_seen integer,
    rows_inserted integer,
    rows_duplicate integer,
    rows_conflict integer,
    rows_quarantined integer,
    error text,
    attempt integer NOT NULL DEFAULT 1,
    parent_id uuid REFERENCES ofx_ingestions,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    heartbeat_at timestamptz
);
CREATE UNIQUE INDEX ofx_ingestions_one_open
    ON ofx_ingestions (sha256, account_id) WHERE status IN ('RECEIVED', 'PROCESSING');

CREATE TABLE transactions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES bank_accounts,
    ingestion_id uuid NOT NULL REFERENCES ofx_ingestions,
    fitid text,
    dedup_key text NOT NULL,
    posted_on date NOT NULL,
    amount numeric(20, 4) NOT NULL CHECK (amount <> 'NaN'),
    currency text NOT NULL DEFAULT 'EUR',
    trntype text,
    checknum text,
    name text,
    memo text,
    raw_dtposted text,
    raw_amount text,
    content_sha text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account_id, dedup_key)
);
CREATE INDEX idx_transactions_ingestion ON transactions (ingestion_id);

CREATE TABLE transaction_sources (
    ingestion_id uuid NOT NULL REFERENCES ofx_ingestions,
    transaction_id uuid NOT NULL REFERENCES transactions,
    PRIMARY KEY (ingestion_id, transaction_id)
);

CREATE TABLE ofx_quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ingestion_id uuid NOT NULL REFERENCES ofx_ingestions,
    ordinal integer NOT NULL,
    reason_code text NOT NULL,
    detail text,
    raw_excerpt text,
    created_at timestamptz NOT NULL DEFAULT now()
);
