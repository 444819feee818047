"""The headless command line; it starts without loading a driver, and loads what a command needs."""

from console.cli.main import cli, main

__all__ = ["cli", "main"]
