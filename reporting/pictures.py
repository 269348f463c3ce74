"""Learning curves of a comparison, as panels to draw."""

from collections.abc import Mapping

from ppoc.formats.text import printable
from ppoc.reporting.comparison import Comparison
from ppoc.reporting.curves import Band, band


def panels(found: Comparison) -> tuple[Mapping[str, Mapping[str, Band]], list[str]]:
    """Task → setting → band over seeds, and notes on what cannot be drawn."""
    table, notes = found.table, []
    bands: dict[str, dict[str, Band]] = {}
    for task in table.tasks:
        for setting in table.settings:
            if (setting, task) not in table.scores:
                continue
            label, title = (printable(text, 60).replace("$", r"\$") for text in (setting, task))
            try:
                bands.setdefault(title or "return", {})[label] = band(table.curves(setting, task))
            except ValueError as error:
                notes.append(f"{label} on {title} is not drawn: {error}")
    return {title: own for title, own in bands.items() if own}, notes
