"""The operations of the finance runbooks, without a screen."""
