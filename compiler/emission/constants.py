"""Constants of generated modules."""

from typing import Any, NamedTuple


class Constant(NamedTuple):
    """A named value of the generated module, with a comment."""

    name: str
    value: Any
    note: str = ""
