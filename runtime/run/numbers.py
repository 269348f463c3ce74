"""Numbers in documents that anybody may have made."""

from collections.abc import Collection
from typing import Any, TypeGuard

from ppoc.formats.reading import FormatError


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a number that a float holds; NaN is one."""
    return type(value) in (int, float) and (value != value or abs(value) < 1e300)


def numbers(
    row: Any, names: Collection[str], counts: Collection[str], what: str
) -> dict[str, int | float]:
    """The numbers of a row that has these names and no others; `counts` are whole numbers.

    Raises:
        FormatError: it is something else; the text calls it `what`.
    """
    if not isinstance(row, dict) or set(row) != set(names) or not all(map(is_number, row.values())):
        raise FormatError(f"{what} is not of the numbers {', '.join(names)}")
    for name in counts:
        if type(row[name]) is not int:
            raise FormatError(f"{what} has no whole number of {name}")
    return {name: row[name] if name in counts else float(row[name]) for name in names}
