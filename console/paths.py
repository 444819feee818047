"""Where the files that travel with the program are."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable


def _shipped(name: str) -> Traversable:
    installed = files("console").joinpath(name)
    if installed.is_dir() or installed.is_file():
        return installed
    # In a checkout the folder stands beside the package.
    return files("console").joinpath("..", name)


def sql_root() -> Traversable:
    """The folder of the named statements: inside the installed package, else beside it."""
    return _shipped("sql")


def example_config() -> Traversable:
    """The annotated example configuration."""
    return _shipped("config.example.toml")
