"""Whether a module is to compile its updates, where nothing has to be weighed."""

from ppoc.formats.cxx import has_compiler, wanted


def compile_settled(chosen: str) -> tuple[bool, str] | None:
    """Whether to compile, and why, where that needs no weighing; None where it does."""
    words = {"never": False, "always": True}
    return (words[chosen], f"training.compile is {chosen}") if chosen in words else None


def if_possible(worth: bool, reason: str) -> tuple[bool, str, bool]:
    """Whether to compile what is worth it, why, and whether a C++ compiler is all that lacks."""
    if worth and not has_compiler():
        return False, f"{reason}; but no C++ compiler is found ({wanted()})", True
    return worth, reason, False
