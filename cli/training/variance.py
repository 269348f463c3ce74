"""`ppoc variance`: which of these specs has the quieter policy gradient?"""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import RunFolder
from ppoc.cli.options import Debug, Overrides, Trust


def variance(
    specs: Annotated[list[Path], typer.Argument(help="Spec files.", show_default=False)],
    overrides: Overrides = None,
    batches: Annotated[int, typer.Option(min=2, help="Batches to compare.")] = 32,
    seed: Annotated[int, typer.Option(help="Seed of the rollouts.")] = 0,
    run: Annotated[
        Path | None,
        typer.Option("--from", help="A run folder whose parameters to use.", show_default="none"),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw it; needs matplotlib.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    trust: Trust = False,
    debug: Debug = False,
) -> None:
    """Measure how much the policy gradient varies between batches, without training.

    Relative variance is the variance of one batch's gradient over the squared length of the mean.
    Give the specs the same environment and batch size, and trained parameters with --from: a critic
    that has learnt nothing is no baseline.
    """
    if as_json:
        terminal.only_results()
    rows = {}
    parameters = _parameters(run) if run is not None else None
    for path in specs:
        rows[str(path)] = _measure(
            path, overrides or [], batches, seed, parameters, trust=trust, debug=debug
        )
    sizes = {row["batch_size"] for row in rows.values()}
    if len(sizes) > 1:
        terminal.say(
            f"warning: batches of {', '.join(map(str, sorted(sizes)))} steps are compared; more "
            "steps alone mean less variance (-s update.rollout_steps=N makes them equal)"
        )
    if plot is not None:
        _draw({name: row["relative"] for name, row in rows.items()}, plot)
    if as_json:
        terminal.put(terminal.as_json(rows))
        return
    width = max(map(len, rows))
    terminal.show(f"{'':<{width}}  batch  |mean|     variance   relative  cosine")
    for name, row in rows.items():
        terminal.show(
            f"{name:<{width}}  {row['batch_size']:>5}  {row['mean_norm']:<9.4g}  "
            f"{row['variance']:<9.4g}  {row['relative']:>8.3g}  {row['cosine']:>6.3f}"
        )


def _measure(
    path: Path,
    overrides: list[str],
    batches: int,
    seed: int,
    parameters: Any,
    *,
    trust: bool,
    debug: bool,
) -> dict[str, Any]:
    import tempfile

    from ppoc.compiler.agent.resolved import as_agent
    from ppoc.compiler.output.build import MODULE, compile_spec
    from ppoc.compiler.resolve import resolve
    from ppoc.runtime.envs.vector import EnvironmentFailure
    from ppoc.runtime.evaluation.variance import gradient_samples, spread
    from ppoc.runtime.run.launch import load_module

    resolved = as_agent(resolve(path, overrides))
    try:
        with tempfile.TemporaryDirectory() as folder:
            compile_spec(resolved, trust=trust).write(Path(folder))
            module = load_module(Path(folder) / MODULE)
        gradients = gradient_samples(module, batches, seed, parameters)
    except (EnvironmentFailure, ValueError) as error:
        terminal.fail_by(error, f"{path}: {error}", debug=debug)
    return spread(gradients, module.BATCH_SIZE)._asdict()


def _parameters(run: Path) -> Any:
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.records.checkpoint import CheckpointError
    from ppoc.runtime.run.saving import load_newest

    try:
        return load_newest(RunFolder.open(run).path)[0]["parameters"]
    except (RunError, CheckpointError) as error:
        terminal.fail(terminal.RUN_FAILED, str(error))


def _draw(relative: dict[str, float], path: Path) -> None:
    """Relative variances as points on a logarithmic axis, which has no zero to draw bars from."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        terminal.fail(terminal.MISUSE, "--plot needs matplotlib: pip install 'ppoc[plot]'")
    matplotlib.rcdefaults()  # not those of a matplotlibrc in the current folder
    figure = Figure(figsize=(7, 1 + 0.5 * len(relative)), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(list(relative.values()), range(len(relative)), "o", markersize=8)
    axes.set_yticks(range(len(relative)), list(relative))
    axes.set_ylim(len(relative) - 0.5, -0.5)
    axes.grid(alpha=0.3)
    axes.set_xscale("log")
    for row, value in enumerate(relative.values()):
        if not math.isfinite(value):
            place = (0.01, row)
            axes.annotate("all noise", place, xycoords=("axes fraction", "data"), va="center")
    axes.set_xlabel("variance of one batch's gradient / |mean gradient|²")
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        terminal.fail(terminal.MISUSE, f"cannot draw {path}: {error}")
