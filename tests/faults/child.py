"""A process that applies one upsert and says each event on its standard output, to be killed."""

import sys
from pathlib import Path

from tests.database import billing


def main(url: str, path: str, run_id: str) -> None:
    """Plan, wait for a line on standard input, then apply."""
    operation = billing.upsert(billing.desk(url), Path(path), run_id, batch_size=50)
    planned = billing.plan(operation)
    say("Planned")
    sys.stdin.readline()
    for event in operation.apply(planned, "head"):
        say(type(event).__name__)


def say(word: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
