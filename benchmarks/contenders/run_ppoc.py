"""ppoc itself: a spec of the zoo compiled and trained, without its evaluation.

    python benchmarks/contenders/run_ppoc.py SPEC [key.path=value ...]

Adds to what every contender prints `first`, the seconds from the start of the process (STARTED,
seconds since the epoch, where it is set) to the end of the first iteration: imports, checks and
compiling included.
"""

import csv
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from task import report


def main() -> None:
    started = float(os.environ.get("STARTED", time.time()))
    from ppoc.compiler.output.build import compile_spec
    from ppoc.compiler.resolve import resolve
    from ppoc.runtime.run.launch import load_module
    from ppoc.runtime.run.run import Run

    spec, *overrides = sys.argv[1:]
    compiled = compile_spec(resolve(Path(spec), overrides))
    folder = Path(tempfile.mkdtemp())
    compiled.write(folder)
    module = load_module(folder / "module.py")
    start, before = time.perf_counter(), time.time() - started
    with Run(folder, mode="quiet") as run:
        module.train(run)
    seconds = time.perf_counter() - start
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ends = [0, *(int(row["step"]) for row in rows)]
    sizes = [end - start for start, end in pairwise(ends)]  # the last may be smaller
    taken = [n / float(row["steps_per_second"]) for n, row in zip(sizes, rows, strict=True)]
    done = ends[-1]
    steady = (done - module.BATCH_SIZE) / sum(taken[1:])
    # The time before and in the first iteration: the rest of the run is its later iterations.
    first = before + seconds - sum(taken[1:])
    report(done, steady, done / seconds, float(rows[-1]["episode_return"]), first=first)


if __name__ == "__main__":
    main()
