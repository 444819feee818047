-- A synthetic Austrian portfolio, the same for the same settings sandbox.seed and sandbox.invoices.
-- Triggers are off while it loads; what they would have written is written here.

SET session_replication_role = replica;
SET TimeZone = 'UTC';

CREATE FUNCTION pg_temp.draw(what text, n bigint, sides integer) RETURNS integer
LANGUAGE sql STABLE AS $$
    SELECT ('x' || left(md5(current_setting('sandbox.seed') || ':' || what || ':' || n), 7))::bit(28)::integer
        % sides
$$;

CREATE FUNCTION pg_temp.make_id(what text, n bigint) RETURNS uuid
LANGUAGE sql STABLE AS $$
    SELECT overlay(overlay(
        md5(current_setting('sandbox.seed') || '#' || what || '#' || n) PLACING '4' FROM 13
    ) PLACING 'a' FROM 17)::uuid
$$;

CREATE TEMP TABLE seed_tenants AS
WITH size AS (
    SELECT (current_setting('sandbox.invoices')::bigint + 11) / 12 AS tenants
),
placed AS (
    SELECT
        t AS n,
        t - (t % 20 = 19)::integer AS unit_no,
        CASE WHEN tenants < 36 THEN 3 ELSE 12 END AS units_per_property,
        greatest(2, least(60, tenants / 28)) AS organizations
    FROM size, generate_series(0, tenants - 1) AS t
)
SELECT
    n,
    unit_no,
    unit_no / units_per_property AS property_no,
    unit_no % units_per_property AS position,
    (unit_no / units_per_property) % organizations AS organization_no,
    pg_temp.make_id('tenant', n) AS id,
    pg_temp.make_id('unit', unit_no) AS unit_id,
    (ARRAY['Anna', 'Lukas', 'Marie', 'David', 'Sophie', 'Tobias', 'Johanna', 'Felix', 'Katharina',
        'Jakob', 'Theresa', 'Florian', 'Magdalena', 'Stefan', 'Nina', 'Georg'])
        [1 + pg_temp.draw('first', n, 16)] AS first_name,
    (ARRAY['Gruber', 'Huber', 'Wagner', 'Pichler', 'Steiner', 'Moser', 'Mayer', 'Hofer', 'Leitner',
        'Berger', 'Fuchs', 'Eder', 'Fischer', 'Schmid', 'Winkler', 'Weber', 'Schwarz', 'Maier',
        'Schneider', 'Reiter', 'Mayr', 'Schmidt', 'Wimmer', 'Egger', 'Brunner', 'Lang', 'Baumgartner',
        'Auer', 'Binder', 'Lechner', 'Wolf', 'Wallner', 'Aigner', 'Ebner', 'Koller', 'Lehner',
        'Haas', 'Schuster', 'Öllinger', 'Größing'])[1 + pg_temp.draw('last', n, 40)] AS last_name,
    pg_temp.draw('iban', n, 10) < 8 AS has_iban,
    CASE
        WHEN unit_no % units_per_property = 0 AND pg_temp.draw('shop', unit_no, 3) = 0 THEN 'geschaeft'
        WHEN pg_temp.draw('kind', unit_no, 100) < 90 THEN 'wohnung'
        WHEN pg_temp.draw('kind', unit_no, 100) < 95 THEN 'garage'
        ELSE 'stellplatz'
    END AS unit_kind,
    CASE
        WHEN pg_temp.draw('profile', n, 100) < 50 THEN 3
        WHEN pg_temp.draw('profile', n, 100) < 75 THEN 9
        ELSE 4 + pg_temp.draw('lines', n, 5)
    END AS line_count,
    pg_temp.draw('profile', n, 100) < 6 AS is_standard
FROM placed;

CREATE TEMP TABLE seed_templates (
    ordinal integer, line_type text, label text, dated boolean, tax_rate integer, reference text,
    lowest numeric, highest numeric, standard numeric
);
INSERT INTO seed_templates VALUES
    (1, 'grundmiete', 'Nettomiete', true, 10, 'MRG §15', 46.45, 1333.64, 650),
    (2, 'betriebskosten', 'BK-Vorschuss', true, 10, 'MRG §21', 19.66, 428.98, 120),
    (3, 'heizkosten', 'HK-Vorschuss', true, 20, 'HeizKG', 15.51, 230.81, 80),
    (4, 'wasserkosten', 'Wasserkosten-Vorschuss', true, 10, 'MRG §21', 10.00, 80.00, 25),
    (5, 'sonstige', 'Betriebskosten Lift', false, 10, 'BK Lift', 5.20, 60.00, 18),
    (6, 'sonstige', 'Kaltwasser', false, 10, 'Direktwert', 3.26, 45.00, 12),
    (7, 'sonstige', 'Warmwasser', false, 10, 'Direktwert', 6.00, 70.00, 20),
    (8, 'sonstige', 'BK Garage', false, 20, 'BK Garage', 8.00, 90.00, 30),
    (9, 'sonstige', 'Zentralheizung', false, 20, 'Zentralheizung', 10.00, 168.02, 45);

CREATE TEMP TABLE seed_charges AS
SELECT
    t.n AS tenant_no,
    y.year,
    s.ordinal,
    CASE WHEN s.ordinal <= 2 AND t.unit_kind <> 'wohnung' THEN 20 ELSE s.tax_rate END AS tax_rate,
    round(
        CASE
            WHEN t.is_standard AND t.unit_kind = 'wohnung' THEN s.standard
            ELSE s.lowest + (s.highest - s.lowest)
                * power(pg_temp.draw('amount' || s.ordinal, t.n, 10000) / 10000.0, 2)
        END
        * CASE WHEN t.unit_kind IN ('garage', 'stellplatz') THEN 0.2 ELSE 1 END
        * CASE WHEN y.year = 2026 AND s.ordinal BETWEEN 2 AND 4 THEN 1.03 ELSE 1 END,
        2
    ) AS amount
FROM seed_tenants AS t
INNER JOIN seed_templates AS s ON s.ordinal <= t.line_count
CROSS JOIN (VALUES (2025), (2026)) AS y (year);
CREATE INDEX ON seed_charges (tenant_no, year);
ANALYZE seed_tenants;
ANALYZE seed_charges;

CREATE TEMP TABLE seed_totals AS
SELECT
    tenant_no,
    year,
    sum(amount) AS total,
    sum(amount) FILTER (WHERE ordinal = 1) AS grundmiete,
    sum(amount) FILTER (WHERE ordinal = 2) AS betriebskosten,
    sum(amount) FILTER (WHERE ordinal = 3) AS heizungskosten,
    coalesce(sum(amount) FILTER (WHERE ordinal = 4), 0) AS wasserkosten,
    sum(round(amount * tax_rate / (100 + tax_rate), 2)) AS ust
FROM seed_charges
GROUP BY tenant_no, year;
ANALYZE seed_totals;

CREATE TEMP TABLE seed_invoices AS
WITH numbered AS (
    SELECT
        n,
        n / 12 AS tenant_no,
        (n % 12)::integer AS month_no,
        2025 + ((n % 12) + 2)::integer / 12 AS year,
        ((n % 12) + 2)::integer % 12 + 1 AS month,
        pg_temp.draw('zero', n, 1000) < 20 AS is_zero,
        pg_temp.draw('status', n, 1000) AS fate
    FROM generate_series(0, current_setting('sandbox.invoices')::bigint - 1) AS n
),
judged AS (
    SELECT
        *,
        CASE
            WHEN is_zero THEN 'offen'
            WHEN month_no = 11 AND fate < 450 THEN 'offen'
            WHEN fate < 830 THEN 'bezahlt'
            WHEN fate < 860 THEN 'teilbezahlt'
            WHEN fate < 950 AND month_no < 11 THEN 'ueberfaellig'
            ELSE 'offen'
        END AS status
    FROM numbered
)
SELECT
    j.n,
    pg_temp.make_id('invoice', j.n) AS id,
    j.tenant_no,
    t.id AS tenant_id,
    t.unit_id,
    t.organization_no,
    j.month_no,
    j.year,
    j.month,
    j.is_zero,
    j.is_zero AND j.n % 2 = 0 AND j.tenant_no % 20 <> 19 AS is_vacancy,
    j.status::invoice_status AS status,
    make_date(j.year, j.month, 5) AS due,
    make_timestamptz(j.year, j.month, 1, 5, 0, 0, 'UTC') AS created_at,
    CASE WHEN j.is_zero THEN 0 ELSE a.total END AS total,
    CASE WHEN j.is_zero THEN 0 ELSE a.grundmiete END AS grundmiete,
    CASE WHEN j.is_zero THEN 0 ELSE a.betriebskosten END AS betriebskosten,
    CASE WHEN j.is_zero THEN 0 ELSE a.heizungskosten END AS heizungskosten,
    CASE WHEN j.is_zero THEN 0 ELSE a.wasserkosten END AS wasserkosten,
    CASE WHEN j.is_zero THEN 0 ELSE a.ust END AS ust,
    CASE
        WHEN j.status = 'bezahlt' THEN a.total
        WHEN j.status = 'teilbezahlt' THEN round(a.total * 0.4, 2)
        WHEN j.status = 'ueberfaellig' AND j.fate % 4 = 0 THEN round(a.total * 0.25, 2)
        ELSE 0
    END AS paid,
    CASE WHEN j.status = 'ueberfaellig' THEN 1 + least(2, 10 - j.month_no) ELSE 0 END AS mahnstufe
FROM judged AS j
INNER JOIN seed_tenants AS t ON t.n = j.tenant_no
INNER JOIN seed_totals AS a ON a.tenant_no = j.tenant_no AND a.year = j.year;
ANALYZE seed_invoices;

CREATE TEMP TABLE seed_payments AS
SELECT
    i.n,
    pg_temp.make_id('payment', i.n) AS id,
    pg_temp.make_id('allocation', i.n) AS allocation_id,
    i.id AS invoice_id,
    i.tenant_id,
    i.paid,
    make_date(i.year, i.month, 1 + pg_temp.draw('day', i.n, 5)) AS booked,
    CASE
        WHEN NOT t.has_iban THEN 'bar'
        WHEN pg_temp.draw('sepa', t.n, 4) = 0 THEN 'sepa'
        ELSE 'ueberweisung'
    END AS method,
    format('Miete %s/%s %s %s', i.month, i.year, t.first_name, t.last_name) AS purpose,
    (ARRAY['manual', 'manual', 'manual', 'manual', 'manual', 'auto', 'auto', 'auto', 'seed', 'backfill'])
        [1 + pg_temp.draw('source', i.n, 10)] AS source,
    CASE WHEN pg_temp.draw('auto', i.n, 3) = 0 THEN 'auto' ELSE 'miete' END AS allocation_type
FROM seed_invoices AS i
INNER JOIN seed_tenants AS t ON t.n = i.tenant_no
WHERE i.paid > 0;

INSERT INTO organizations (id, name, created_at)
SELECT
    pg_temp.make_id('organization', o),
    (ARRAY['Donaublick', 'Alpenhof', 'Murpark', 'Schlossberg', 'Kaiserkrone', 'Grünanger'])[1 + o % 6]
        || ' Hausverwaltung' || CASE WHEN o < 6 THEN '' ELSE ' ' || (o / 6 + 1) END || ' GmbH',
    '2025-01-15 08:00:00+00'
FROM (SELECT DISTINCT organization_no::integer AS o FROM seed_tenants) AS seen;

INSERT INTO properties (id, organization_id, name, address, postal_code, city, created_at)
SELECT
    pg_temp.make_id('property', p.property_no),
    pg_temp.make_id('organization', p.organization_no),
    street || ' ' || (1 + pg_temp.draw('house', p.property_no, 120)),
    street || ' ' || (1 + pg_temp.draw('house', p.property_no, 120)),
    (place).code,
    (place).city,
    '2025-01-15 08:00:00+00'
FROM (SELECT DISTINCT property_no, organization_no FROM seed_tenants) AS p
CROSS JOIN LATERAL (
    SELECT (ARRAY['Mariahilfer Straße', 'Lindengasse', 'Hauptplatz', 'Bahnhofstraße', 'Kirchengasse',
        'Annenstraße', 'Landstraße', 'Getreidegasse', 'Praterstraße', 'Schulgasse'])
        [1 + pg_temp.draw('street', p.property_no, 10)] AS street
) AS s
CROSS JOIN LATERAL (
    SELECT place FROM (VALUES
        (0, '1070', 'Wien'), (1, '1020', 'Wien'), (2, '1110', 'Wien'), (3, '1200', 'Wien'),
        (4, '8010', 'Graz'), (5, '8020', 'Graz'), (6, '4020', 'Linz'), (7, '5020', 'Salzburg')
    ) AS place (k, code, city)
    WHERE place.k = pg_temp.draw('city', p.property_no, 8)
) AS c;

INSERT INTO units (id, property_id, top_nummer, type, status, created_at)
SELECT DISTINCT ON (unit_no)
    unit_id,
    pg_temp.make_id('property', property_no),
    CASE unit_kind
        WHEN 'geschaeft' THEN 'Geschäft EG'
        WHEN 'garage' THEN 'Garage ' || (position + 1)
        WHEN 'stellplatz' THEN 'Stellplatz ' || (position + 1)
        ELSE 'Top ' || (position + 1)
    END,
    unit_kind::unit_type,
    'aktiv'::unit_status,
    '2025-01-15 08:00:00+00'::timestamptz
FROM seed_tenants
ORDER BY unit_no, n;

INSERT INTO tenants (
    id, unit_id, first_name, last_name, email, mietbeginn, grundmiete, betriebskosten_vorschuss,
    heizungskosten_vorschuss, wasserkosten_vorschuss, sonstige_kosten, iban, status, created_at,
    updated_at
)
SELECT
    t.id,
    t.unit_id,
    t.first_name,
    t.last_name,
    format('mieter%s@example.com', t.n),
    make_date(2015 + pg_temp.draw('since', t.n, 10), 1 + pg_temp.draw('since month', t.n, 12), 1),
    a.grundmiete,
    a.betriebskosten,
    a.heizungskosten,
    a.wasserkosten,
    (
        SELECT jsonb_object_agg(
            s.label, jsonb_build_object('betrag', c.amount, 'ust', c.tax_rate, 'schluessel', s.reference)
        )
        FROM seed_charges AS c
        INNER JOIN seed_templates AS s ON s.ordinal = c.ordinal
        WHERE c.tenant_no = t.n AND c.year = 2026 AND c.ordinal > 4
    ),
    CASE WHEN t.has_iban THEN 'AT00' || lpad(pg_temp.draw('account', t.n, 1000000)::text, 16, '0') END,
    'aktiv',
    '2025-01-20 08:00:00+00',
    '2026-01-02 08:00:00+00'
FROM seed_tenants AS t
INNER JOIN seed_totals AS a ON a.tenant_no = t.n AND a.year = 2026;

INSERT INTO booking_periods (id, organization_id, year, month, is_locked, created_at)
SELECT
    pg_temp.make_id('period', o.organization_no * 100 + m),
    pg_temp.make_id('organization', o.organization_no),
    2025 + (m + 2) / 12,
    (m + 2) % 12 + 1,
    m < 4,
    '2025-02-20 08:00:00+00'
FROM (SELECT DISTINCT organization_no FROM seed_tenants) AS o
CROSS JOIN generate_series(0, 11) AS m;

INSERT INTO invoice_lines (
    id, invoice_id, unit_id, line_type, description, normalized_description, amount, tax_rate, meta,
    created_at
)
SELECT
    pg_temp.make_id('line', i.n * 16 + c.ordinal),
    i.id,
    i.unit_id,
    s.line_type,
    d.description,
    regexp_replace(lower(trim(d.description)), '\s+', ' ', 'g'),
    c.amount,
    c.tax_rate,
    jsonb_build_object('reference', s.reference),
    i.created_at
FROM seed_invoices AS i
INNER JOIN seed_charges AS c ON c.tenant_no = i.tenant_no AND c.year = i.year
INNER JOIN seed_templates AS s ON s.ordinal = c.ordinal
CROSS JOIN LATERAL (
    SELECT s.label || CASE WHEN s.dated THEN
        ' ' || (ARRAY['Jänner', 'Februar', 'März', 'April', 'Mai', 'Juni', 'Juli', 'August',
            'September', 'Oktober', 'November', 'Dezember'])[i.month] || ' ' || i.year
        ELSE '' END AS description
) AS d
WHERE NOT i.is_zero;
