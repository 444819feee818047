"""How the console speaks to PostgreSQL."""
