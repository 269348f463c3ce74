"""`ppoc reproduce figure3` on a small scale: runs, resumes, and writes picture and table."""

import json
import shutil

import pytest

from ppoc.compiler.front.source import parse
from ppoc.compiler.resolve import resolve
from zoo import ROOT


@pytest.fixture
def reproduce(ppoc, tmp_path):
    """Run the verb for two algorithms on one environment: exit code, standard error."""

    def run(*arguments, steps="2048"):
        figure = ("figure3", "--out", tmp_path / "figure")
        few = ("--steps", steps, "--only", "InvertedPendulum-v5")
        done = ppoc("reproduce", *figure, *few, *arguments)
        return done.code, done.err

    return run


def test_a_figure_resumes_and_is_drawn(reproduce, tmp_path):
    out = tmp_path / "figure"
    few = ("--only", "a2c", "--only", "vpg-adaptive")
    code, said = reproduce(*few, "--seeds", "1")
    assert code == 0, said
    assert "[2/2]" in said
    a2c, vpg = (out / f"{x}-InvertedPendulum-v5-seed-1" for x in ("a2c", "vpg-adaptive"))
    first = (a2c / "metrics.csv").read_bytes()

    # One run loses its end, another what it had before its first checkpoint.
    (a2c / "result.json").unlink()
    (out / "a2c-InvertedPendulum-v5-seed-x").mkdir()  # somebody's own
    shutil.rmtree(sorted((a2c / "checkpoints").iterdir())[-1])
    shutil.rmtree(vpg / "checkpoints")
    (vpg / "result.json").unlink()
    code, said = reproduce(*few, "--seeds", "2", "--jobs", "2")
    assert code == 0, said
    assert "[4/4]" in said
    again = (a2c / "metrics.csv").read_bytes()
    assert len(again.splitlines()) == len(first.splitlines())

    code, said = reproduce(*few, "--seeds", "2")
    assert (code, "4 finished before" in said) == (0, True), said
    numbers = json.loads((out / "figure3.json").read_text())["InvertedPendulum-v5"]
    assert numbers["a2c"]["seeds"] == [1, 2]
    assert len(numbers["vpg-adaptive"]["returns"]) == 2
    table = (out / "figure3.md").read_text()
    assert "| InvertedPendulum-v5 | vanilla PG, adaptive | 2 | " in table
    assert "999 ± 2 (Tianshou 3M steps)" in table
    assert (out / "figure3.png").stat().st_size > 10_000

    # Runs of other lengths do not share a folder.
    before = (out / "results.json").read_bytes()
    code, said = reproduce(*few, "--seeds", "2", steps="4096")
    assert (code, "`training.total_steps: 2048`" in said) == (2, True), said
    assert (out / "results.json").read_bytes() == before


def test_misuse_is_told(reproduce, tmp_path):
    code, said = reproduce("--only", "sac")
    assert code == 2
    assert "the figure has ppo, trpo" in said
    (tmp_path / "figure").mkdir()
    (tmp_path / "figure" / "thesis.tex").write_text("mine")
    code, said = reproduce("--only", "a2c")
    assert (code, "no folder of an experiment" in said) == (2, True), said
    assert [path.name for path in (tmp_path / "figure").iterdir()] == ["thesis.tex"]


def test_the_published_figures_are_of_the_experiment():
    path = ROOT / "specs" / "figure3.yaml"
    data = parse(path.read_text(encoding="utf-8"), path.name).plain()
    experiment = resolve(ROOT / "specs" / "experiments" / "figure3.yaml")
    assert list(data["labels"]) == [setting.name for setting in experiment.settings]
    assert set(data["published"]) <= set(data["labels"])
    published = {task for rows in data["published"].values() for task in rows}
    assert published <= {member.task for member in experiment.members}
