"""Which database this is: by the server's own word, whatever name leads there."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from console.desk import Desk
from console.errors import Refused
from console.settings import Environment, Settings
from tests.database import billing
from tests.database.conftest import Database


def desk_of(database: Database, mine: str | None, **others: str) -> Desk:
    """A desk whose environment, and others beside it, name a server identity."""
    url = SecretStr(database.url)
    environments = {
        name: Environment(kind="production", database_url=SecretStr("host=db"), server_id=known)
        for name, known in others.items()
    }
    settings = Settings(environments=environments)
    environment = Environment(kind="staging", database_url=url, server_id=mine)
    return Desk("staging", environment, settings, operator="anna")


def test_the_configured_server(app_database: Database) -> None:
    """The identity that the preflight shows is the one that can be configured."""
    known = billing.desk(app_database).target.server_id
    assert desk_of(app_database, known).target.server_id == known


def test_another_server_behind_the_name(app_database: Database) -> None:
    """A name that leads elsewhere by now is refused before anything is read."""
    with pytest.raises(Refused, match="not the configured 1/2"):
        desk_of(app_database, "1/2").refresh()


def test_the_same_server_under_another_name(app_database: Database) -> None:
    """Production reached by another spelling of its host keeps production's rules."""
    known = billing.desk(app_database).target.server_id
    with pytest.raises(Refused, match="environment production") as refusal:
        desk_of(app_database, None, production=known).refresh()
    assert refusal.value.next_step == "Name it: --env production."
    assert desk_of(app_database, None, production="1/2").refresh()
