"""The typed configuration: environments and rules, read from one TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from console.errors import BadInput

MAX_CONFIG_BYTES = 256 * 1024

Kind = Literal["sandbox", "staging", "replica", "production"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Environment(_Strict):
    """A named target: its database and its rules."""

    kind: Kind = "staging"
    database_url: SecretStr | None = None
    service: str | None = None
    server_id: str | None = None
    read_only: bool = False
    artifacts: str = "reconciliations"
    allow_password_on_command_line: bool = False
    allow_superuser: bool = False
    statement_timeout_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600
    lock_timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 3
    notice: str = ""

    def conninfo(self) -> str:
        """The libpq connection string or service that names the database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"service={self.service}" if self.service else ""


class Billing(_Strict):
    """Rules of the billing runbook."""

    line_types: tuple[str, ...] = (
        "grundmiete",
        "betriebskosten",
        "heizkosten",
        "wasserkosten",
        "wasserkosten_nachverrechnung",
        "sonstige",
    )
    tax_rates: tuple[int, ...] = (0, 10, 13, 20)
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000
    currency: str = "EUR"
    plan_minutes: Annotated[int, Field(ge=1, le=1440)] = 30


class Settings(_Strict):
    """Everything a configuration file may say."""

    default_environment: str | None = None
    environments: Mapping[str, Environment] = Field(default_factory=dict)
    billing: Billing = Billing()

    def environment(self, name: str | None) -> tuple[str, Environment]:
        """Return the environment asked for, else the default; `BadInput` names the known ones."""
        wanted = name or self.default_environment
        known = ", ".join(sorted(self.environments)) or "none"
        if wanted is None:
            raise BadInput(
                "No target is named.",
                next_step=f"Name one with --env NAME (known: {known}) or --database-url URL.",
            )
        if wanted not in self.environments:
            raise BadInput(f"There is no environment {wanted!r}; known: {known}.")
        return wanted, self.environments[wanted]


def default_paths() -> tuple[Path, ...]:
    """Where a configuration is looked for when none is named, first hit wins."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path("ops-console.toml"), home / "ops-console" / "ops-console.toml"


def load(path: Path | None = None) -> Settings:
    """Read the configuration; without a file the defaults hold, a wrong file is `BadInput`."""
    chosen = path or next((p for p in default_paths() if p.is_file()), None)
    return Settings() if chosen is None else parse(_read(chosen), str(chosen))


def parse(text: str, source: str) -> Settings:
    """Turn TOML text into settings; every fault names the key and what is wrong with it."""
    try:
        return Settings.model_validate(tomllib.loads(text), strict=False)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise BadInput(f"{source}: {faults}.") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise BadInput(f"{source} is not valid TOML: {error}.") from None


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise BadInput(f"{path} is larger than {MAX_CONFIG_BYTES} bytes.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text.") from None
