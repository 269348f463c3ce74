"""`ppoc reproduce`: a published figure again, from specs to picture."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from ppoc.cli import terminal
from ppoc.formats.documents import read_document
from ppoc.formats.files import write_whole
from ppoc.formats.folders import check_folder


class Cell(NamedTuple):
    """One run of the figure."""

    algorithm: str
    environment: str
    seed: int

    def folder(self, out: Path) -> Path:
        return out / self.environment / self.algorithm / f"seed-{self.seed}"

    def __str__(self) -> str:
        return f"{self.algorithm} on {self.environment}, seed {self.seed}"


def reproduce(
    figure: Annotated[Literal["figure3"], typer.Argument(help="What to reproduce.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder.", show_default="runs/FIGURE")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each algorithm.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Environment steps of a run.")] = 1_000_000,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this algorithm or environment; repeatable.", show_default=False),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Runs side by side.")] = 1,
) -> None:
    """Run every algorithm of Figure 3 of the PPO paper in its seven environments, and draw it.

    Each run is one `ppoc run`. What was done before is not done again: the same command goes on
    where it was interrupted. The picture needs matplotlib: pip install 'ppoc[plot]'.
    """
    description = _description(figure)
    folder = out or Path("runs") / figure
    cells = list(_cells(description, only or [], seeds))
    _prepare(folder, steps)
    failed = _run_all(cells, folder, figure, steps, jobs)
    _summarise(description, folder, figure)
    if failed:
        terminal.fail(terminal.RUN_FAILED, f"{len(failed)} failed: {'; '.join(map(str, failed))}")


def _description(figure: str) -> dict[str, Any]:
    from ppoc.compiler.front.source import parse

    path = Path(str(files("ppoc.specs"))) / f"{figure}.yaml"
    found: dict[str, Any] = parse(path.read_text(encoding="utf-8"), path.name).plain()
    return found


def _cells(description: dict[str, Any], only: list[str], seeds: int) -> Iterator[Cell]:
    """The runs to make, a seed after the other, so that a picture is whole early."""
    algorithms, environments = list(description["algorithms"]), description["environments"]
    for name in only:
        if name not in (*algorithms, *environments):
            known = ", ".join((*algorithms, *environments))
            terminal.fail(terminal.MISUSE, f"--only {name}: the figure has {known}")
    chosen = [a for a in algorithms if a in only] or algorithms
    places = [e for e in environments if e in only] or environments
    for seed in range(1, seeds + 1):
        for algorithm in chosen:
            for environment in places:
                yield Cell(algorithm, environment, seed)


def _prepare(folder: Path, steps: int) -> None:
    """Make the folder; runs of different lengths do not share one."""
    settings = folder / "settings.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_folder(folder)
        if settings.exists():
            before = read_document(settings).get("steps")
            if before != steps:
                message = f"{folder} has runs of {before} steps; give another --out, or --steps"
                terminal.fail(terminal.MISUSE, message)
        elif any(folder.iterdir()):
            terminal.fail(terminal.MISUSE, f"{folder} is not empty; give another --out")
        else:
            write_whole(settings, json.dumps({"steps": steps}) + "\n")
    except (OSError, ValueError) as error:
        terminal.fail(terminal.MISUSE, f"cannot use {folder}: {error}")


def _run_all(cells: list[Cell], out: Path, figure: str, steps: int, jobs: int) -> list[Cell]:
    """Run what is not finished yet; the cells that failed."""
    waiting = [cell for cell in cells if not _finished(cell.folder(out))]
    if len(waiting) < len(cells):
        terminal.say(f"{len(cells) - len(waiting)} of {len(cells)} runs are done already")
    threads = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else None
    done = 0

    def one(cell: Cell) -> bool:
        nonlocal done
        start = time.perf_counter()
        command = _command(cell, out, figure, steps, threads)
        if jobs > 1 or not sys.stderr.isatty():
            command.append("--quiet")
        # Runs side by side must not each spread over every core, or they wait for each other.
        environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
        code = subprocess.run(
            command, check=False, stdout=subprocess.DEVNULL, env=environment
        ).returncode
        done += 1
        score = _result(cell.folder(out))
        what = f"{score.evaluation.mean:.1f}" if score else "failed"
        seconds = time.perf_counter() - start
        terminal.say(f"[{done}/{len(waiting)}] {cell}: {what} ({seconds:.0f} s)")
        return code == 0

    with ThreadPoolExecutor(jobs) as pool:
        try:
            succeeded = list(pool.map(one, waiting))
        except KeyboardInterrupt:
            # The runs got the signal too: they save and stop.
            pool.shutdown(cancel_futures=True)
            terminal.say("stopped; the same command goes on")
            raise typer.Exit(terminal.RUN_FAILED) from None
    return [cell for cell, ok in zip(waiting, succeeded, strict=True) if not ok]


def _command(cell: Cell, out: Path, figure: str, steps: int, threads: int | None) -> list[str]:
    folder = cell.folder(out)
    base = [sys.executable, "-P", "-m", "ppoc.cli", "run"]
    if any((folder / "checkpoints").glob("*")):
        return [*base, str(folder), "--resume"]
    if folder.exists():
        shutil.rmtree(folder)  # it was stopped before its first checkpoint
    spec = Path(str(files("ppoc.specs"))) / figure / f"{cell.algorithm}.yaml"
    changes = {
        "name": f"{cell.algorithm}-{cell.environment}",
        "env.id": cell.environment,
        "training.total_steps": steps,
        "training.seed": cell.seed,
        **({"env.threads": threads} if threads else {}),
    }
    flags = [part for key, value in changes.items() for part in ("-s", f"{key}={value}")]
    return [*base, str(spec), *flags, "--out", str(folder)]


def _result(folder: Path) -> Any:
    """The result of a finished run, with its evaluation; None where there is none."""
    from ppoc.runtime.run.results import read_result

    try:
        found = read_result(folder)
    except (OSError, ValueError):
        return None
    return found if found.finished and found.evaluation is not None else None


def _finished(folder: Path) -> bool:
    return _result(folder) is not None


def _summarise(description: dict[str, Any], out: Path, figure: str) -> None:
    """Write the picture, the table, and the numbers of both, of all runs in the folder."""
    from ppoc.reporting.curves import band, draw, read_curve

    numbers: dict[str, Any] = {}
    panels: dict[str, dict[str, Any]] = {}
    for environment in description["environments"]:
        for algorithm, label in description["algorithms"].items():
            found = sorted((out / environment / algorithm).glob("seed-*"))
            folders = [f for f in found if f.name.removeprefix("seed-").isdecimal()]
            results = {f.name: result for f in folders if (result := _result(f))}
            if not results:
                continue
            tables = [out / environment / algorithm / name / "metrics.csv" for name in results]
            try:
                curves = [read_curve(path, "episode_return") for path in tables]
                curves = [(steps, values) for steps, values in curves if len(steps)]
                if not curves:  # too short for a single episode
                    continue
                curve = band(curves)
            except (OSError, ValueError) as error:
                terminal.fail(terminal.RUN_FAILED, f"no table and no picture: {error}")
            panels.setdefault(environment, {})[label] = curve
            numbers.setdefault(environment, {})[algorithm] = {
                "seeds": [int(name.removeprefix("seed-")) for name in results],
                "returns": [result.evaluation.mean for result in results.values()],
                "stds": [result.evaluation.std for result in results.values()],
                "last_training_returns": [float(values[-1]) for _, values in curves],
                "seconds": [result.seconds for result in results.values()],
                "curve": {k: [round(float(x), 2) for x in v] for k, v in curve._asdict().items()},
            }
    if not panels:
        return
    write_whole(out / f"{figure}.json", json.dumps(numbers) + "\n")
    write_whole(out / f"{figure}.md", _table(description, numbers))
    terminal.say(f"table: {out / f'{figure}.md'}")
    try:
        draw(panels, out / f"{figure}.png")
    except ImportError:
        terminal.say("no picture: it needs matplotlib (pip install 'ppoc[plot]')")
    else:
        terminal.say(f"picture: {out / f'{figure}.png'}")


def _table(description: dict[str, Any], numbers: dict[str, Any]) -> str:
    lines = [
        "| environment | algorithm | seeds | evaluation | training | published |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for environment, rows in numbers.items():
        for algorithm, row in rows.items():
            others = description["published"].get(algorithm, {}).get(environment, {})
            published = "; ".join(f"{text} ({who})" for who, text in others.items()) or "–"
            label = description["algorithms"][algorithm]
            lines.append(
                f"| {environment} | {label} | {len(row['seeds'])} | {_spread(row['returns'])} | "
                f"{_spread(row['last_training_returns'])} | {published} |"
            )
    return "\n".join(lines) + "\n"


def _spread(values: list[float]) -> str:
    """Mean over seeds, with the standard deviation where there are several."""
    digits = 0 if abs(statistics.fmean(values)) >= 100 else 1
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.pstdev(values):.{digits}f}"
