-- What the incident adds where `paid_amount` may be NULL.

UPDATE monthly_invoices AS i SET paid_amount = NULL
FROM seed_variances AS v WHERE v.id = i.id AND v.kind = 'null';
