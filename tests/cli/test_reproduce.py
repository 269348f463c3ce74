"""`ppoc reproduce figure3` on a small scale: runs, resumes, and writes picture and table."""

import json
import shutil

import pytest


@pytest.fixture
def reproduce(ppoc, tmp_path):
    """Run the verb for two algorithms on one environment: exit code, standard error."""

    def run(*arguments):
        figure = ("figure3", "--out", tmp_path / "figure")
        few = ("--steps", "2048", "--only", "InvertedPendulum-v5")
        done = ppoc("reproduce", *figure, *few, *arguments)
        return done.code, done.err

    return run


def test_a_figure_resumes_and_is_drawn(reproduce, tmp_path):
    out = tmp_path / "figure"
    few = ("--only", "a2c", "--only", "vpg-adaptive")
    code, said = reproduce(*few, "--seeds", "1")
    assert code == 0, said
    assert "[2/2]" in said
    runs = out / "InvertedPendulum-v5"
    first = (runs / "a2c" / "seed-1" / "metrics.csv").read_bytes()

    # One run loses its end, another what it had before its first checkpoint.
    (runs / "a2c" / "seed-1" / "result.json").unlink()
    (runs / "a2c" / "seed-x").mkdir()  # somebody's own
    checkpoints = sorted((runs / "a2c" / "seed-1" / "checkpoints").iterdir())
    shutil.rmtree(checkpoints[-1])
    shutil.rmtree(runs / "vpg-adaptive" / "seed-1" / "checkpoints")
    (runs / "vpg-adaptive" / "seed-1" / "result.json").unlink()
    code, said = reproduce(*few, "--seeds", "2", "--jobs", "2")
    assert code == 0, said
    assert "[4/4]" in said
    again = (runs / "a2c" / "seed-1" / "metrics.csv").read_bytes()
    assert len(again.splitlines()) == len(first.splitlines())

    code, said = reproduce(*few, "--seeds", "2")
    assert (code, "4 of 4 runs are done already" in said) == (0, True)
    numbers = json.loads((out / "figure3.json").read_text())["InvertedPendulum-v5"]
    assert numbers["a2c"]["seeds"] == [1, 2]
    assert len(numbers["vpg-adaptive"]["returns"]) == 2
    table = (out / "figure3.md").read_text()
    assert "| InvertedPendulum-v5 | vanilla PG, adaptive | 2 | " in table
    assert "999 ± 2 (Tianshou 3M steps)" in table
    assert (out / "figure3.png").stat().st_size > 10_000


def test_misuse_is_told(reproduce, tmp_path):
    code, said = reproduce("--only", "sac")
    assert code == 2
    assert "the figure has ppo, trpo" in said
    (tmp_path / "figure").mkdir()
    (tmp_path / "figure" / "thesis.tex").write_text("mine")
    code, said = reproduce("--only", "a2c")
    assert (code, "not empty" in said) == (2, True)
    assert (tmp_path / "figure" / "thesis.tex").read_text() == "mine"
    (tmp_path / "figure" / "settings.json").write_text('{"steps": 1000000}')
    code, said = reproduce("--only", "a2c")
    assert (code, "runs of 1000000 steps" in said) == (2, True)
