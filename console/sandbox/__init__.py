"""A real PostgreSQL with a generated portfolio and an incident to practise on."""
