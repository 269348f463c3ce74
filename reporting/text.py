"""A comparison as a person reads it in a terminal: the answer, tables, what to beware of."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size

from ppoc.formats.text import printable
from ppoc.reporting.comparison import OVERALL, THRESHOLDS, Cell, Comparison
from ppoc.reporting.words import NONE, number, percent, with_interval

WIDTH = 100
LEAST = 12  # of the first column, however wide the others are
METRICS = {
    "evaluation": "mean return of the final evaluation",
    "auc": "mean return over all of training",
    "training": "last return of training",
}
SHOWN = (0.1, 0.25, 0.5, 0.75, 0.9)  # thresholds of a performance profile


def text_of(found: Comparison) -> str:
    """The whole report, in lines of at most 100 columns."""
    return "\n".join(piece for line in _lines(found) for piece in _wrapped(printable(line)))


def _wrapped(line: str) -> list[str]:
    """A line in words, broken where it is too long; one of a table is not."""
    if cell_len(line) <= WIDTH:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    pieces: list[str] = []
    begin = indent[2:]
    for word in line.split():
        if pieces and cell_len(pieces[-1]) + 1 + cell_len(word) <= WIDTH:
            pieces[-1] += f" {word}"
        else:
            pieces.append(_cut_if_longer(begin + word))
            begin = indent
    return pieces


def _lines(found: Comparison) -> Iterator[str]:
    yield from found.verdict.split("\n")
    share = percent(found.confidence)
    yield ""
    what = METRICS[found.metric]
    if not any(found.table.tasks):  # a language model's, which has scores
        what = what.replace("return", "score")
    yield f"{what}; [{share} bootstrap intervals over seeds]"
    for task in (*found.table.tasks, OVERALL):
        cells = [cell for cell in found.cells if cell.task == task]
        if cells:
            yield ""
            yield from table(_heads(found, task), [_row(found, cell) for cell in cells])
            yield from _profiles(cells)
            yield from _reached(found, cells)
    yield ""
    yield from _claims(found)
    yield from (f"note: {note}" for note in found.notes)


def _heads(found: Comparison, task: str) -> list[str]:
    better = "P(better)" if cell_len(found.table.baseline) > 12 else f"P(> {found.table.baseline})"
    last = "gap" if task == OVERALL else "area"
    return [task or "setting", "runs", "mean", "median", "IQM", better, last]


def _row(found: Comparison, cell: Cell) -> list[str]:
    statistics = cell.statistics
    last = statistics["optimality_gap"].value if cell.task == OVERALL else cell.auc
    return [
        cell.setting,
        str(len(cell.scores)),
        number(statistics["mean"].value),
        number(statistics["median"].value),
        with_interval(statistics["iqm"]),
        NONE if cell.improvement is None else _probability(cell),
        number(last),
    ]


def _probability(cell: Cell) -> str:
    if cell.improvement is None:
        return NONE
    value, low, high = cell.improvement
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _profiles(cells: Sequence[Cell]) -> Iterator[str]:
    """Shares of runs above some normalised scores, over all tasks."""
    if cells[0].task != OVERALL:
        return
    places = [int(abs(THRESHOLDS - threshold).argmin()) for threshold in SHOWN]
    rows = [
        [cell.setting, *(f"{cell.profile[0][place]:.2f}" for place in places)]
        for cell in cells
        if cell.profile is not None
    ]
    yield ""
    yield from table(["share of runs above", *map(str, SHOWN)], rows)


def _reached(found: Comparison, cells: Sequence[Cell]) -> Iterator[str]:
    """Steps to the threshold, with how many runs reached it."""
    rows = [
        [
            cell.setting,
            f"{cell.reached.arrived} of {len(cell.reached.steps)}",
            "not by half" if cell.reached.median is None else f"{cell.reached.median:,.0f}",
        ]
        for cell in cells
        if cell.reached is not None
    ]
    if rows:
        yield ""
        heads = [f"steps to {number(found.threshold)}", "runs that got there", "median steps"]
        yield from table(heads, rows)


def _claims(found: Comparison) -> Iterator[str]:
    """How sure the verdicts are, and of which difference they say that it matters."""
    count = len(found.verdicts) + len(found.by_task)
    if count > 1:
        share = percent(1 - found.confidence)
        yield (
            f"note: {count} comparisons are made; by Holm's method the chance of any false claim "
            f"is at most {share}"
        )
    for task in found.table.compared():
        scale = found.scales[task]
        where = f" on {task}" if task else ""
        yield f"note: a difference of {number(scale.matters)}{where} matters, {scale.why}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, the first column to the left, others to the right, in 100 columns."""
    shown = [[printable(cell, 200) for cell in row] for row in (heads, *rows)]
    widths = [max(cell_len(row[place]) for row in shown) for place in range(len(heads))]
    left = WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = min(widths[0], max(LEAST, left))
    lines = [
        "  ".join(
            [
                _cut(row[0], widths[0]),
                *(
                    " " * (width - cell_len(cell)) + cell
                    for cell, width in zip(row[1:], widths[1:], strict=True)
                ),
            ]
        )
        for row in shown
    ]
    return [lines[0], "─" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]]


def _cut_if_longer(text: str) -> str:
    return text if cell_len(text) <= WIDTH else _cut(text, WIDTH)


def _cut(text: str, width: int) -> str:
    """A text in exactly so many columns, the end of a long one cut off."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…"
