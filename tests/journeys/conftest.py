"""Journeys use the same real, seeded databases as the database tests."""

from tests.database.conftest import app_database, clone_database, cloud_database, templates

__all__ = ["app_database", "clone_database", "cloud_database", "templates"]
