"""`python -m console`: the command line without the screens."""

import sys

from console.cli import main

if __name__ == "__main__":
    sys.exit(main())
