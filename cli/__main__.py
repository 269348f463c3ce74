"""`python -m ppoc.cli` is `ppoc`."""

import sys

# The current folder, which may be anybody's: away before anything is imported from there.
if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]

from ppoc.cli.app import main

main()
