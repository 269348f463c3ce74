"""The error of a run."""


class RunError(Exception):
    """A run that cannot start or go on; its text says why and what is left."""
