"""Rules of the files that stages learn from."""
