"""Paid-amount reconciliation: ledger against cache, every step of its runbook done by hand."""

from __future__ import annotations

from console.runbooks.step import Contact, Escalation, Runbook, Step, commands

REPORT = "Report"
REPAIR = "Bei Abweichungen"
BACKUP = "Backup und Restore"
MONITOR = "Post-Cutover Monitoring (72h)"
ROLLBACK = "Rollback"

SECTIONS = (
    "summary: number of invoices, paid and open amounts",
    "variance_check: invoices where paid_amount != sum of payment_allocations",
    "status_consistency: invoices of inconsistent status (such as bezahlt with paid_amount = 0)",
    "mahnstufe_distribution: dunning levels of open invoices",
    "source_breakdown: by source (seed/manual/auto/backfill)",
)

CONTACTS = (
    Contact("Dev", "@dev-team"),
    Contact("Finance", "@finance-team"),
    Contact("Ops", "@ops-team"),
    Contact("Eskalation", "@dev-lead + @cfo"),
)

ESCALATION = (
    Escalation("Low", "Varianz < 5 Rechnungen", "Team-Ticket, naechster Sprint"),
    Escalation("Medium", "Varianz 5-50 Rechnungen", "Sofort-Fix, Finance informieren"),
    Escalation("High", "Varianz > 50 Rechnungen", "Incident, Rollback pruefen, Finance + Ops Call"),
    Escalation("Critical", "Varianz > 100 oder steigende Tendenz", "Sofort-Rollback, Post-Mortem"),
)


def _step(
    section: str,
    phase: str,
    title: str,
    *,
    why: str,
    does: str,
    expected: str,
    stop_if: str,
    evidence: str = "What was run, by whom, and what it printed.",
    only_if: str = "",
    contacts: tuple[Contact, ...] = (),
) -> Step:
    return Step(
        id=f"paid_amount.{section}",
        section=section,
        phase=phase,
        title=title,
        why=why,
        does=does,
        expected=expected,
        stop_if=stop_if,
        command_text=commands("paid_amount")[section],
        evidence=evidence,
        only_if=only_if,
        contacts=contacts,
    )


_REPAIR = (
    _step(
        "1",
        REPORT,
        "Analyse the report",
        why="paid_amount is a cache; the report shows where it left the ledger.",
        does="Writes the report with the sections: " + "; ".join(SECTIONS) + ".",
        expected="variance_check and status_consistency are empty.",
        stop_if="More than 100 variances, or rising: critical, see escalation.",
        evidence="variance_count, seed_count and the severity that follows.",
    ),
    _step(
        "2",
        REPAIR,
        "Examine a single invoice",
        why="One invoice understood is worth more than a batch repaired blindly.",
        does="Shows the invoice and its payment allocations.",
        expected="The difference can be explained from the allocations.",
        stop_if="Allocations are missing: that is step 4, not step 3.",
        evidence="Invoice id, cached and ledger amount, and the cause.",
        only_if="The report shows variances.",
    ),
    _step(
        "B1",
        BACKUP,
        "Snapshot before a backfill",
        why="Resync and backfill change money on many invoices.",
        does="Dumps the database without owners and rights.",
        expected="A dump file of plausible size.",
        stop_if="The dump fails.",
        evidence="File name and size.",
        only_if="A resync or backfill is due.",
    ),
    _step(
        "3",
        REPAIR,
        "Resync paid_amount from the allocations",
        why="The ledger payment_allocations is the only source of truth.",
        does="Sets paid_amount to the sum of the allocations, for one invoice or all.",
        expected="The report (step 5) shows 0 variances.",
        stop_if="Invoices would change status that Finance has not seen.",
        evidence="Number of invoices and sum before and after.",
        only_if="The ledger is right and the cache is wrong.",
    ),
    _step(
        "4",
        REPAIR,
        "Safety-net backfill",
        why="Money that was paid but never allocated is missing from the ledger.",
        does="Creates the missing allocations by the migration script.",
        expected="The report (step 5) shows 0 variances.",
        stop_if="An allocation would be created without a payment behind it.",
        evidence="Number and sum of the allocations created.",
        only_if="Allocations are missing.",
    ),
    _step(
        "5",
        REPAIR,
        "Verify",
        why="Only the report says whether cache and ledger agree again.",
        does="Runs the report again.",
        expected="variance_count = 0, no status inconsistency.",
        stop_if="Any variance is left.",
        evidence="variance_count and status inconsistencies.",
    ),
)

_WATCH = (
    _step(
        "N1",
        REPORT,
        "Nightly job",
        why="The nightly report finds a variance before a customer does.",
        does="Starts the workflow; it alerts through Slack and PagerDuty above 0.01 EUR.",
        expected="The workflow is green; WARN above 0 variances, FAIL above 1000.",
        stop_if="The secrets guard stops it: STAGING_DB_URL is not set.",
        evidence="Link to the workflow run.",
    ),
    _step(
        "M1",
        MONITOR,
        "Daily variance check",
        why="72 h after the cutover the count must stay at zero.",
        does="Counts the invoices whose cache differs from the ledger by more than 0.01.",
        expected="variance_count = 0.",
        stop_if="variance_count > 10 after the cutover.",
        evidence="The count, morning and evening.",
    ),
    _step(
        "M2",
        MONITOR,
        "Allocations of the last 24 hours",
        why="No new allocations in running operation means that a write path is dead.",
        does="Counts and sums new allocations by source.",
        expected="The creation rate is stable.",
        stop_if="The allocation rate falls to 0 in running operation.",
        evidence="Count and sum by source.",
    ),
    _step(
        "M3",
        MONITOR,
        "Status consistency",
        why="A wrong status sends a dunning letter to someone who has paid.",
        does="Compares status, paid_amount and gesamtbetrag.",
        expected="No MISMATCH.",
        stop_if="More than 5 status inconsistencies.",
        evidence="Count of ok and MISMATCH.",
    ),
    _step(
        "M4",
        MONITOR,
        "Stop criteria and daily sign-off",
        why="Going on past a stop criterion makes the rollback larger.",
        does="Compares the figures with the document's stop criteria; Ops and Finance sign off.",
        expected="No criterion is met; both have signed off.",
        stop_if="variance_count > 10, inconsistencies > 5, or an allocation rate of 0.",
        evidence="Who signed off for Ops and for Finance.",
        contacts=CONTACTS,
    ),
    _step(
        "R1",
        ROLLBACK,
        "Roll back",
        why="A stop criterion was met.",
        does="Stops ingestion, restores the snapshot, reports, informs, post-mortem.",
        expected="The report is clean on the restored data.",
        stop_if="Payments since the snapshot would be lost without a list of them.",
        evidence="Snapshot used, figures after it, and who was informed.",
        only_if="A stop criterion is met.",
        contacts=CONTACTS,
    ),
    _step(
        "B2",
        BACKUP,
        "Restore test",
        why="A backup that was never restored is a hope.",
        does="Restores the snapshot into a scratch database, reports, and drops it.",
        expected="The report runs on the restored database.",
        stop_if="The restore fails.",
        evidence="Duration and the report's variance_count.",
        only_if="A snapshot was taken.",
    ),
    _step(
        "B3",
        BACKUP,
        "Quarterly disaster-recovery test",
        why="Recovery objectives: RTO < 30 min, RPO < 24 h.",
        does="Loads the snapshot into staging, reports, documents, has it signed off.",
        expected="RTO under 30 min, RPO under 24 h, signed off by Ops and Finance.",
        stop_if="Either objective is missed.",
        evidence="RTO, RPO, and who signed off.",
        only_if="Once a quarter.",
        contacts=CONTACTS,
    ),
)

PAID_AMOUNT = Runbook(
    id="paid_amount",
    title="Paid-amount reconciliation",
    document="paid-amount-reconciliation.md",
    summary="Cached paid_amount against the ledger of allocations.",
    steps=(*_REPAIR, *_WATCH),
    rules=(
        "The ledger payment_allocations is the only source of truth.",
        "monthly_invoices.paid_amount is derived, by syncInvoicePaidAmount().",
        "Direct writes to paid_amount are forbidden: every path goes through "
        "syncInvoicePaidAmount().",
        "Write paths: paymentService.allocatePayment(), "
        "paymentSplittingService.splitPaymentByPriority(), "
        "paymentSplittingService.allocatePaymentToInvoice(); seed scripts "
        "seed-demo.ts and seed-leases-payments.ts (source='seed').",
        "Nightly: daily 01:30 UTC; WARN > 0 variances, FAIL > 1000 (temporary, to become > 55); "
        "alert above 0.01 EUR; report kept 90 days; metrics variance_count, seed_count.",
    ),
    contacts=CONTACTS,
    escalation=ESCALATION,
)
