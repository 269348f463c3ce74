"""Whether a module is to compile its updates, where nothing has to be weighed."""


def compile_settled(wanted: str) -> tuple[bool, str] | None:
    """Whether to compile, and why, where that needs no weighing; None where it does."""
    words = {"never": False, "always": True}
    return (words[wanted], f"training.compile is {wanted}") if wanted in words else None
