-- The part of the portfolio whose columns are those of generation "cloud".

INSERT INTO monthly_invoices (
    id, tenant_id, unit_id, year, month, grundmiete, betriebskosten, heizungskosten, ust_satz_miete,
    ust, gesamtbetrag, status, faellig_am, bezahlt_am, paid_amount, mahnstufe, created_at
)
SELECT
    i.id, i.tenant_id, i.unit_id, i.year, i.month, i.grundmiete, i.betriebskosten, i.heizungskosten,
    10, i.ust, i.total, i.status, i.due, CASE WHEN i.status = 'bezahlt' THEN p.booked END, i.paid,
    i.mahnstufe, i.created_at
FROM seed_invoices AS i
LEFT JOIN seed_payments AS p ON p.n = i.n;

INSERT INTO payments (
    id, tenant_id, invoice_id, betrag, buchungs_datum, eingangs_datum, zahlungsart, referenz,
    created_at
)
SELECT
    id, tenant_id, invoice_id, paid, booked, booked, method::payment_method, purpose,
    booked + time '10:00' AT TIME ZONE 'UTC'
FROM seed_payments;

INSERT INTO payment_allocations (
    id, payment_id, invoice_id, applied_amount, allocation_type, created_at
)
SELECT
    allocation_id, id, invoice_id, paid, allocation_type, booked + time '10:05' AT TIME ZONE 'UTC'
FROM seed_payments;

SET session_replication_role = origin;

INSERT INTO auth.users (id, email, created_at)
VALUES (pg_temp.make_id('user', 0), 'verwaltung@example.com', '2025-01-15 08:00:00+00');

INSERT INTO audit_logs (id, user_id, action, table_name, record_id, new_data, ip_address, created_at)
SELECT
    pg_temp.make_id('audit', organization_no * 100 + month_no),
    pg_temp.make_id('user', 0),
    'generate_invoices',
    'monthly_invoices',
    pg_temp.make_id('organization', organization_no),
    jsonb_build_object('period', format('%s-%s', year, lpad(month::text, 2, '0')), 'count', count(*)),
    '192.0.2.10',
    min(created_at) + organization_no * interval '1.5 seconds'
FROM seed_invoices
GROUP BY organization_no, month_no, year, month
ORDER BY month_no, organization_no;
