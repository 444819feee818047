"""The runbooks as data: steps that name operations."""
