"""``python -m unsilent``: the command line, where no script of it is on the path."""

import sys

from unsilent.cli import main

if __name__ == "__main__":
    sys.exit(main())
