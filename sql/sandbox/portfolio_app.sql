-- The part of the portfolio whose columns are those of generation "app".

INSERT INTO monthly_invoices (
    id, tenant_id, unit_id, year, month, grundmiete, betriebskosten, heizungskosten, wasserkosten,
    ust, gesamtbetrag, status, faellig_am, paid_amount, mahnstufe, run_id, is_vacancy, created_at,
    updated_at
)
SELECT
    id, CASE WHEN NOT is_vacancy THEN tenant_id END, unit_id, year, month, grundmiete,
    betriebskosten, heizungskosten, wasserkosten, ust, total, status, due, paid, mahnstufe, pg_temp.make_id('invoice run', month_no), is_vacancy,
    created_at, created_at + interval '5 days'
FROM seed_invoices;

INSERT INTO payments (
    id, tenant_id, invoice_id, betrag, buchungs_datum, payment_type, verwendungszweck, source,
    created_at
)
SELECT
    id, tenant_id, invoice_id, paid, booked, method::payment_type, purpose, source,
    booked + time '10:00' AT TIME ZONE 'UTC'
FROM seed_payments;

INSERT INTO payment_allocations (
    id, payment_id, invoice_id, applied_amount, allocation_type, source, created_at
)
SELECT
    allocation_id, id, invoice_id, paid, allocation_type, source,
    booked + time '10:05' AT TIME ZONE 'UTC'
FROM seed_payments;

SET session_replication_role = origin;

INSERT INTO audit_logs (id, action, table_name, record_id, new_data, ip_address, created_at)
SELECT
    pg_temp.make_id('audit', organization_no * 100 + month_no),
    'generate_invoices',
    'monthly_invoices',
    pg_temp.make_id('organization', organization_no)::text,
    jsonb_build_object('period', format('%s-%s', year, lpad(month::text, 2, '0')), 'count', count(*)),
    '192.0.2.10',
    min(created_at) + organization_no * interval '1.5 seconds'
FROM seed_invoices
GROUP BY organization_no, month_no, year, month
ORDER BY month_no, organization_no;
