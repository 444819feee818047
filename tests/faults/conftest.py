"""The databases of the database tests serve here, too."""

from tests.database.conftest import (  # noqa: F401 - fixtures are found by their names here
    app_database,
    both_schemas,
    clone_database,
    cloud_database,
    templates,
)
