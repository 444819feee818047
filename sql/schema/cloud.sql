-- The users' tables as the hosted platform's migrations leave them (generation "cloud").
-- Known weaknesses are kept on purpose: the console must cope with what it finds.

CREATE TYPE invoice_status AS ENUM ('offen', 'bezahlt', 'teilbezahlt', 'ueberfaellig');
CREATE TYPE payment_method AS ENUM ('sepa', 'ueberweisung', 'bar', 'sonstiges');
CREATE TYPE unit_type AS ENUM ('wohnung', 'geschaeft', 'garage', 'stellplatz', 'lager', 'sonstiges');
CREATE TYPE unit_status AS ENUM ('aktiv', 'leerstand', 'beendet');

CREATE SCHEMA auth;
CREATE TABLE auth.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE properties (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES organizations,
    name text NOT NULL,
    address text,
    postal_code text,
    city text,
    created_at timestamptz DEFAULT now()
);

CREATE TABLE units (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    property_id uuid NOT NULL REFERENCES properties,
    top_nummer text NOT NULL,
    type unit_type DEFAULT 'wohnung',
    status unit_status DEFAULT 'aktiv',
    created_at timestamptz DEFAULT now()
);

CREATE TABLE tenants (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    unit_id uuid REFERENCES units,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text,
    mietbeginn date,
    mietende date,
    grundmiete numeric(10, 2) DEFAULT 0,
    betriebskosten_vorschuss numeric(10, 2) DEFAULT 0,
    heizungskosten_vorschuss numeric(10, 2) DEFAULT 0,
    wasserkosten_vorschuss numeric(10, 2) DEFAULT 0,
    sonstige_kosten jsonb,
    iban text,
    status text DEFAULT 'aktiv',
    deleted_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX idx_tenants_unit ON tenants (unit_id);

CREATE TABLE monthly_invoices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    unit_id uuid NOT NULL REFERENCES units ON DELETE CASCADE,
    year integer NOT NULL,
    month integer NOT NULL,
    grundmiete numeric(10, 2) NOT NULL DEFAULT 0,
    betriebskosten numeric(10, 2) NOT NULL DEFAULT 0,
    heizungskosten numeric(10, 2) NOT NULL DEFAULT 0,
    ust_satz_miete numeric NOT NULL DEFAULT 0,
    ust_satz_bk numeric NOT NULL DEFAULT 10,
    ust_satz_heizung numeric NOT NULL DEFAULT 20,
    ust numeric(10, 2) NOT NULL DEFAULT 0,
    gesamtbetrag numeric(10, 2) NOT NULL DEFAULT 0,
    status invoice_status NOT NULL DEFAULT 'offen',
    faellig_am date NOT NULL,
    bezahlt_am date,
    paid_amount numeric(10, 2) NOT NULL DEFAULT 0,
    mahnstufe integer NOT NULL DEFAULT 0,
    zahlungserinnerung_am timestamptz,
    mahnung_am timestamptz,
    version integer NOT NULL DEFAULT 1,
    vortrag_miete numeric(10, 2) NOT NULL DEFAULT 0,
    vortrag_bk numeric(10, 2) NOT NULL DEFAULT 0,
    vortrag_hk numeric(10, 2) NOT NULL DEFAULT 0,
    vortrag_sonstige numeric(10, 2) NOT NULL DEFAULT 0,
    vortrag_gesamt numeric(10, 2) GENERATED ALWAYS AS (
        vortrag_miete + vortrag_bk + vortrag_hk + vortrag_sonstige
    ) STORED,
    email_sent_at timestamptz,
    email_status text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_monthly_invoices_tenant ON monthly_invoices (tenant_id);

CREATE TABLE invoice_lines (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    invoice_id uuid NOT NULL REFERENCES monthly_invoices,
    unit_id uuid REFERENCES units,
    line_type varchar(50) NOT NULL,
    description text,
    normalized_description text,
    amount numeric(12, 2) NOT NULL,
    tax_rate integer NOT NULL DEFAULT 0,
    meta jsonb,
    created_at timestamptz DEFAULT now(),
    deleted_at timestamptz
);

CREATE FUNCTION normalize_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.normalized_description := regexp_replace(lower(trim(NEW.description)), '\s+', ' ', 'g');
    RETURN NEW;
END
$$;
CREATE TRIGGER trg_invoice_lines_normalize
    BEFORE INSERT OR UPDATE ON invoice_lines
    FOR EACH ROW EXECUTE FUNCTION normalize_invoice_line();

CREATE UNIQUE INDEX idx_invoice_lines_dedup
    ON invoice_lines (invoice_id, unit_id, line_type, normalized_description);

CREATE TABLE payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL REFERENCES tenants,
    invoice_id uuid REFERENCES monthly_invoices ON DELETE SET NULL,
    betrag numeric(10, 2) NOT NULL,
    buchungs_datum date NOT NULL,
    eingangs_datum date NOT NULL,
    zahlungsart payment_method NOT NULL DEFAULT 'ueberweisung',
    referenz text,
    transaction_id uuid,
    notizen text,
    created_at timestamptz DEFAULT now()
);
CREATE INDEX idx_payments_tenant ON payments (tenant_id);
CREATE INDEX idx_payments_invoice ON payments (invoice_id);

CREATE TABLE payment_allocations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    payment_id uuid NOT NULL REFERENCES payments,
    invoice_id uuid NOT NULL REFERENCES monthly_invoices,
    applied_amount numeric(10, 2) NOT NULL,
    allocation_type text DEFAULT 'miete',
    created_at timestamptz DEFAULT now()
);
CREATE INDEX idx_payment_allocations_payment ON payment_allocations (payment_id);
CREATE INDEX idx_payment_allocations_invoice ON payment_allocations (invoice_id);

CREATE TABLE audit_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid REFERENCES auth.users ON DELETE SET NULL,
    action text NOT NULL,
    table_name text NOT NULL,
    record_id uuid,
    old_data jsonb,
    new_data jsonb,
    ip_address inet,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    hash text,
    previous_hash text
);
CREATE INDEX idx_audit_logs_created_at ON audit_logs (created_at);

CREATE FUNCTION reject_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Audit logs are immutable and cannot be %',
        CASE TG_OP WHEN 'UPDATE' THEN 'updated' ELSE 'deleted' END;
END
$$;
CREATE TRIGGER trg_audit_logs_no_update BEFORE UPDATE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION reject_audit_change();
CREATE TRIGGER trg_audit_logs_no_delete BEFORE DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION reject_audit_change();

CREATE FUNCTION compute_audit_log_hash() RETURNS trigger
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    last_hash text;
    payload text;
BEGIN
    SELECT hash INTO last_hash FROM audit_logs ORDER BY created_at DESC, id DESC LIMIT 1;
    NEW.previous_hash := coalesce(last_hash, 'GENESIS');
    payload := coalesce(NEW.id::text, '') || '|' || coalesce(NEW.user_id::text, '') || '|'
        || coalesce(NEW.table_name, '') || '|' || coalesce(NEW.record_id::text, '') || '|'
        || coalesce(NEW.action, '') || '|' || coalesce(NEW.created_at::text, '') || '|'
        || coalesce(NEW.previous_hash, '');
    NEW.hash := encode(sha256(convert_to(payload, 'UTF8')), 'hex');
    RETURN NEW;
END
$$;
CREATE TRIGGER trg_audit_log_hash BEFORE INSERT ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION compute_audit_log_hash();

CREATE TABLE reconcile_runs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    run_id text NOT NULL,
    chunk_id integer NOT NULL,
    total_chunks integer NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'done', 'failed')),
    rows_in_chunk integer DEFAULT 0,
    inserted integer DEFAULT 0,
    updated integer DEFAULT 0,
    error_message text,
    billing_run_id uuid REFERENCES billing_runs,
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz DEFAULT now(),
    UNIQUE (run_id, chunk_id)
);
