"""The billing reconciliation runbook as operations."""
