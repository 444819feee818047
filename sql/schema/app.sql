-- The users' tables as the application's own migrations leave them (generation "app").
-- Known weaknesses are kept on purpose: the console must cope with what it finds.

CREATE TYPE invoice_status AS ENUM ('offen', 'bezahlt', 'teilbezahlt', 'ueberfaellig');
CREATE TYPE payment_type AS ENUM ('sepa', 'ueberweisung', 'bar', 'sonstiges');
CREATE TYPE unit_type AS ENUM ('wohnung', 'geschaeft', 'garage', 'stellplatz', 'lager', 'sonstiges');
CREATE TYPE unit_status AS ENUM ('aktiv', 'leerstand', 'beendet');

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
    created_at timestamptz DEFAULT now(),
    CONSTRAINT units_unique_top UNIQUE (property_id, top_nummer)
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
    tenant_id uuid REFERENCES tenants,
    unit_id uuid NOT NULL REFERENCES units,
    year integer NOT NULL,
    month integer NOT NULL,
    grundmiete numeric(10, 2) DEFAULT 0,
    betriebskosten numeric(10, 2) DEFAULT 0,
    heizungskosten numeric(10, 2) DEFAULT 0,
    wasserkosten numeric(10, 2) DEFAULT 0,
    ust_satz_miete integer DEFAULT 10,
    ust_satz_bk integer DEFAULT 10,
    ust_satz_heizung integer DEFAULT 20,
    ust_satz_wasser integer DEFAULT 10,
    ust numeric(10, 2) DEFAULT 0,
    gesamtbetrag numeric(10, 2) DEFAULT 0,
    status invoice_status DEFAULT 'offen',
    faellig_am date,
    paid_amount numeric(10, 2) DEFAULT 0,
    mahnstufe integer DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    is_vacancy boolean DEFAULT false,
    pdf_url text,
    run_id uuid,
    vortrag_miete numeric(10, 2) DEFAULT 0,
    vortrag_bk numeric(10, 2) DEFAULT 0,
    vortrag_hk numeric(10, 2) DEFAULT 0,
    vortrag_sonstige numeric(10, 2) DEFAULT 0,
    weg_budget_plan_id uuid,
    owner_id uuid,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    CONSTRAINT monthly_invoices_unique_tenant_period UNIQUE (tenant_id, year, month),
    CONSTRAINT monthly_invoices_vat_rates CHECK (
        ust_satz_miete IN (0, 10, 13, 20)
        AND ust_satz_bk IN (0, 10, 13, 20)
        AND ust_satz_heizung IN (0, 10, 13, 20)
        AND ust_satz_wasser IN (0, 10, 13, 20)
    )
);
CREATE UNIQUE INDEX monthly_invoices_unique_vacancy_period
    ON monthly_invoices (unit_id, year, month) WHERE is_vacancy;

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
    created_at timestamptz DEFAULT now()
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

CREATE UNIQUE INDEX invoice_lines_unique_idx
    ON invoice_lines (invoice_id, unit_id, line_type, normalized_description);

CREATE TABLE payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL REFERENCES tenants,
    invoice_id uuid REFERENCES monthly_invoices,
    betrag numeric(10, 2) NOT NULL,
    buchungs_datum date NOT NULL,
    payment_type payment_type DEFAULT 'ueberweisung',
    verwendungszweck text,
    transaction_id uuid,
    notizen text,
    source text DEFAULT 'manual',
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
    source text DEFAULT 'manual',
    created_at timestamptz DEFAULT now()
);
CREATE INDEX idx_payment_allocations_payment ON payment_allocations (payment_id);
CREATE INDEX idx_payment_allocations_invoice ON payment_allocations (invoice_id);

CREATE TABLE audit_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid,
    action text NOT NULL,
    table_name text NOT NULL,
    record_id text,
    old_data jsonb,
    new_data jsonb,
    run_id text,
    details jsonb,
    ip_address text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now()
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

CREATE TABLE reconcile_runs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    run_id text NOT NULL UNIQUE,
    type text DEFAULT 'batch_upsert',
    status text NOT NULL DEFAULT 'started' CHECK (status IN ('started', 'completed', 'failed')),
    inserted integer DEFAULT 0,
    updated integer DEFAULT 0,
    skipped integer DEFAULT 0,
    errors integer DEFAULT 0,
    total_rows integer DEFAULT 0,
    error text,
    meta jsonb,
    started_at timestamptz DEFAULT now(),
    completed_at timestamptz,
    created_at timestamptz DEFAULT now()
);
