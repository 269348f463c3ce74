"""`python -m ppoc.cli` is `ppoc`."""

from ppoc.cli.app import main

main()
