"""Schedules as `ppoc explain` shows them: what goes from what to what, by which formula."""

from collections.abc import Iterable
from typing import NamedTuple

Points = list[list[float]]


class Row(NamedTuple):
    """A value that does not stay the same."""

    name: str
    value: float  # that its schedule multiplies, or that it starts from
    schedule: str | Points
    rule: str = ""  # how it follows something else
    warmup: float = 0.0  # the share of training in which it rises to its schedule


def block(title: str, found: Iterable[Row], unit: str) -> str:
    """A title, and a line for each value below it."""
    changing = list(found)
    lines = [title, *(f"    {_line(row)}" for row in changing)]
    if any(row.schedule != "adaptive" for row in changing):
        lines.append(f"    t is the share of {unit}, from 0 to 1")
    return "\n".join(lines)


def _line(row: Row) -> str:
    value = f"{row.value:g}"
    rises = f", times min(1, t / {row.warmup:g})" if row.warmup else ""
    if row.schedule == "adaptive":
        return f"{row.name}: starts at {value}, {row.rule}"
    if row.schedule == "constant":
        return f"{row.name}: {value}{rises}"
    if row.schedule == "linear":
        return f"{row.name}: {value}·(1 − t), from {value} to 0{rises}"
    if row.schedule == "cosine":
        return f"{row.name}: {value}·½(1 + cos πt), from {value} to 0{rises}"
    assert isinstance(row.schedule, list)
    points = ", ".join(f"{row.value * factor:g} at t = {at:g}" for at, factor in row.schedule)
    return f"{row.name}: {points}, straight lines between{rises}"


def latex(found: Iterable[Row]) -> list[str]:
    """Lines of LaTeX, of those that have a formula."""
    forms = {
        "constant": "{value:g}",
        "linear": r"{value:g}\,(1 - t)",
        "cosine": r"{value:g}\cdot\tfrac{{1}}{{2}}(1 + \cos \pi t)",
    }
    lines = []
    for row in found:
        if isinstance(row.schedule, str) and row.schedule in forms:
            name = row.name.removesuffix(" ε").removesuffix(" β")
            rises = rf"\cdot\min(1, t / {row.warmup:g})" if row.warmup else ""
            lines.append(
                rf"\text{{{name}}} &= {forms[row.schedule].format(value=row.value)}{rises}"
            )
    return lines
