"""How often verdicts of `ppoc compare` err, by simulated experiments whose truth is known.

    python benchmarks/verdicts.py [--experiments 10000] > benchmarks/results/verdicts.md

Scores are drawn from distributions as those of trained agents: normal, skewed, capped at the best
return, heavy-tailed, runs that work or fail. Where both settings have the same distribution, a
claim of a difference is false. Each row is an experiment of its own, judged as the verb does.
"""

import argparse
import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ppoc.reporting import aggregates
from ppoc.reporting.differences import difference
from ppoc.reporting.scales import Scale
from ppoc.reporting.table import Table
from ppoc.reporting.verdict import judge

Array = NDArray[np.float64]
Draw = Callable[[int], Array]
rng = np.random.default_rng(20)
SIZES = [(3, 3), (4, 4), (5, 5), (10, 10), (3, 5), (3, 10), (5, 10)]


def works_or_fails(share: float, noise: float) -> Draw:
    """Runs that score 1 with a probability and 0 else, with noise."""
    return lambda n: (rng.random(n) < share) + noise * rng.normal(size=n)


SHAPES: dict[str, Draw] = {
    "normal": lambda n: rng.normal(size=n),
    "uniform": lambda n: rng.random(n),
    "exponential": lambda n: rng.exponential(size=n),
    "lognormal, σ 1.5": lambda n: rng.lognormal(0, 1.5, n),
    "Cauchy": lambda n: rng.standard_cauchy(n),
    "capped, a third at the cap": lambda n: np.minimum(500, rng.normal(480, 45, n)),
    "capped, five in six at the cap": lambda n: np.minimum(500, rng.normal(560, 60, n)),
    "work or fail, 1 in 2": works_or_fails(0.5, 0),
    "work or fail, 4 in 5": works_or_fails(0.8, 0),
    "work or fail, 1 in 2, noisy": works_or_fails(0.5, 0.05),
    "work or fail, 7 in 10, noisy": works_or_fails(0.7, 0.02),
    "work or fail, 9 in 10, noisy": works_or_fails(0.9, 0.1),
    "four powers of ten": lambda n: 10.0 ** rng.integers(0, 4, n),
    "three levels": lambda n: rng.integers(0, 3, n).astype(float),
    "t with 3 degrees": lambda n: rng.standard_t(3, n),
}


def table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield "| " + " | ".join(row) + " |"
    yield ""


def false_claims(experiments: int, level: float) -> Iterator[str]:
    rows = []
    for name, draw in SHAPES.items():
        row = [name]
        for ours, theirs in SIZES:
            claims = sum(
                difference([draw(ours)], [draw(theirs)], [1.0]).p_value() <= level
                for _ in range(experiments)
            )
            row.append(f"{100 * claims / experiments:.1f}")
        rows.append(row)
        print(name, file=sys.stderr, flush=True)
    yield from table(["distribution", *(f"{a}, {b}" for a, b in SIZES)], rows)


def judged(scores: list[list[Array]], margin: float, confidence: float = 0.95) -> list[str]:
    """Outcomes over all of an experiment: settings × tasks of scores, the first being baseline."""
    settings = [str(place) for place in range(len(scores))]
    tasks = [f"task {place}" for place in range(len(scores[0]))]
    places = {(s, t): scores[i][j] for i, s in enumerate(settings) for j, t in enumerate(tasks)}
    made = Table("evaluation", settings, tasks, "0", places, [], [])
    scales = {task: Scale(0, 1, "", margin, "") for task in tasks}
    found, by_task = judge(made, tasks, scales, confidence)
    return [verdict.outcome for verdict in (*found, *by_task)]


def whole_reports(experiments: int) -> Iterator[str]:
    """Reports of several settings or tasks: whether any of their claims is false."""
    rows = []
    for settings, tasks in [(2, 1), (5, 1), (2, 3), (4, 7)]:
        for seeds in (3, 5, 10):
            row = [str(settings), str(tasks), str(seeds)]
            for name in ("normal", "work or fail, 1 in 2, noisy", "three levels"):
                draw = SHAPES[name]
                false = sum(
                    bool(
                        {"better", "worse"}
                        & {
                            *judged(
                                [[draw(seeds) for _ in range(tasks)] for _ in range(settings)], 0
                            )
                        }
                    )
                    for _ in range(experiments)
                )
                row.append(f"{100 * false / experiments:.1f}")
            rows.append(row)
    heads = ["settings", "tasks", "seeds", "normal", "work or fail, noisy", "three levels"]
    yield from table(heads, rows)


def found_differences(experiments: int) -> Iterator[str]:
    rows = []
    for effect in (1, 2, 3, 5):
        row = [str(effect)]
        for seeds in (3, 5, 10):
            outcomes = [
                judged([[rng.normal(0, 1, seeds)], [rng.normal(effect, 1, seeds)]], 0)[0]
                for _ in range(experiments)
            ]
            right, wrong = (outcomes.count(word) / experiments for word in ("better", "worse"))
            row.append(f"{100 * right:.0f} ({100 * wrong:.2g})")
        rows.append(row)
    yield from table(["difference, in σ", "3 seeds", "5 seeds", "10 seeds"], rows)


def no_difference(experiments: int) -> Iterator[str]:
    rows = []
    for margin in (1.0, 2.0, 3.0):
        for truth in (0.0, margin):
            row = [f"{margin:g}", f"{truth:g}"]
            for seeds in (3, 5, 10):
                outcomes = [
                    judged([[rng.normal(0, 1, seeds)], [rng.normal(truth, 1, seeds)]], margin)[0]
                    for _ in range(experiments)
                ]
                share = outcomes.count("no difference that matters") / experiments
                row.append(f"{100 * share:.1f}")
            rows.append(row)
    yield from table(["margin, in σ", "true difference", "3 seeds", "5 seeds", "10 seeds"], rows)


def coverage(experiments: int) -> Iterator[str]:
    """How often intervals have the true mean of normal scores."""
    rows = []
    for tasks in (1, 7):
        for seeds in (3, 5, 10, 30):
            inside = {"bootstrap": 0, "student": 0}
            for _ in range(experiments):
                ours = [rng.normal(size=seeds) for _ in range(tasks)]
                theirs = [rng.normal(size=seeds) for _ in range(tasks)]
                found = aggregates.estimates(ours, {"mean": aggregates.mean}, 0.95, 500)["mean"]
                inside["bootstrap"] += found.low <= 0 <= found.high
                own = difference(ours, theirs, [1.0] * tasks)
                inside["student"] += abs(own.value) <= own.half_width(0.05)
            shares = [f"{100 * count / experiments:.1f}" for count in inside.values()]
            rows.append([str(tasks), str(seeds), *shares])
    heads = ["tasks", "seeds", "bootstrap of the mean", "Student's of the difference"]
    yield from table(heads, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=10_000)
    count = parser.parse_args().experiments
    few = max(100, count // 10)
    print(
        f"# How often verdicts err\n\n"
        f"Written by `python benchmarks/verdicts.py --experiments {count}`: simulated experiments\n"
        "with known truth, judged as `ppoc compare` does.\n"
        "[The method](../../docs/compare.md#verdict).\n\n"
        f"## Claims of a difference where there is none\n\n"
        f"Percent of {count:,} experiments, at 95%, that claim a difference between two settings\n"
        "of the same distribution, with so many seeds of each. 5.0 are allowed; a number has\n"
        f"a standard error of {100 * (0.0475 / count) ** 0.5:.1f}.\n"
    )
    print("\n".join(false_claims(count, 0.05)))
    print(
        f"Percent of {few:,} whole reports with any false claim of a difference, over all tasks\n"
        "or on one; several settings of the same distribution. 5.0 are allowed; a number has a\n"
        f"standard error of {100 * (0.0475 / few) ** 0.5:.1f}.\n"
    )
    print("\n".join(whole_reports(few)))
    print(
        "## Real differences\n\nPercent of experiments that find a difference of so many standard "
        "deviations,\nand in brackets percent that claim its opposite; normal scores.\n"
    )
    print("\n".join(found_differences(few * 2)))
    print(
        "Percent that claim no difference that matters. Where the true difference is the margin\n"
        "itself, the claim is false, and 2.5 are allowed.\n"
    )
    print("\n".join(no_difference(few * 2)))
    print(
        "## Intervals\n\nPercent of 95% intervals that have the true value; normal scores. The "
        "table of a report\nhas bootstrap intervals, verdicts have Student's.\n"
    )
    print("\n".join(coverage(few)).rstrip())


if __name__ == "__main__":
    main()
