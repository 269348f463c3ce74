"""Rules of the stages, and of the runs that they start from."""
