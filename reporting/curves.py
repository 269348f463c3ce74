"""Learning curves of several runs: brought to one grid, and drawn as panels with bands."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ppoc.formats.files import write_whole

Array = NDArray[np.float64]


class Band(NamedTuple):
    """Curves of several seeds on one grid of steps, each [K]."""

    steps: Array
    mean: Array
    low: Array
    """The lowest seed at each point."""
    high: Array
    """The highest seed at each point."""


def band(curves: Sequence[tuple[Array, Array]], points: int = 200) -> Band:
    """The curves on a common grid of up to `points` steps, over which all of them are known.

    Raises:
        ValueError: a curve is empty, or the curves have no step in common.
    """
    if not curves or not all(len(steps) for steps, _ in curves):
        raise ValueError("a curve without a point")
    first, last = max(steps[0] for steps, _ in curves), min(steps[-1] for steps, _ in curves)
    if first > last:
        raise ValueError("the curves have no step in common")
    grid = np.linspace(first, last, min(points, max(len(steps) for steps, _ in curves)))
    rows = np.stack([np.interp(grid, steps, values) for steps, values in curves])
    return Band(grid, rows.mean(0), rows.min(0), rows.max(0))


def draw(panels: Mapping[str, Mapping[str, Band]], path: Path, *, columns: int = 4) -> None:
    """Draw title → label → band as one panel a title; a label has one colour in all panels.

    Raises:
        ImportError: there is no matplotlib.
        OSError, ValueError: the file cannot be written, or its ending is of no known format.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    matplotlib.rcdefaults()  # not those of a matplotlibrc in the current folder
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.7 * rows), layout="constrained")
    axes: list[Any] = list(figure.subplots(rows, columns, squeeze=False).flat)
    labels = list(dict.fromkeys(label for bands in panels.values() for label in bands))
    lines: dict[str, Any] = {}
    for axis, (title, bands) in zip(axes, panels.items(), strict=False):
        axis.set_title(title, fontsize=10)
        for label, curve in bands.items():
            color = f"C{labels.index(label)}"
            (lines[label],) = axis.plot(curve.steps, curve.mean, color=color, linewidth=1.2)
            axis.fill_between(curve.steps, curve.low, curve.high, color=color, alpha=0.2, lw=0)
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3, linewidth=0.5)
    for axis in axes[len(panels) :]:
        axis.axis("off")
    handles = [lines[label] for label in labels]
    if rows * columns > len(panels):
        axes[len(panels)].legend(handles, labels, loc="center", frameon=False, fontsize=9)
    else:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    for axis in axes[max(0, len(panels) - columns) : len(panels)]:
        axis.set_xlabel("environment steps", fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=150, format=path.suffix.removeprefix(".") or None)
    write_whole(path, picture.getvalue())
