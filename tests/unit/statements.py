"""All named statements of `sql/`, for the tests that look at each of them."""

from string import Formatter

from console.database.queries import Query, load
from console.paths import sql_root

# Whole scripts without named statements.
SCRIPTS = {"schema", "sandbox", "migrations"}
PATHS = sorted(
    path.relative_to(sql_root()).with_suffix("").as_posix()
    for path in sql_root().rglob("*.sql")
    if path.relative_to(sql_root()).parts[0] not in SCRIPTS
)
STATEMENTS: list[tuple[str, Query]] = [
    (path, statement) for path in PATHS for statement in load(path).values()
]


def placeholders(statement: Query) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in Formatter().parse(statement.text) if name}
