"""A failure is one message, with the traceback of others' code in the run folder."""

import os
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from ppoc.runtime.envs.make import make
from ppoc.runtime.envs.seeds import episode_seed
from ppoc.runtime.envs.vector import Interrupted
from ppoc.runtime.errors import RunError
from ppoc.runtime.evaluation.video import record
from ppoc.runtime.run.failures import explained, in_one_message


class Breaking(gymnasium.Env):
    """Raises at its seventh step, the second of its second episode."""

    action_space = gymnasium.spaces.Box(-1, 1, (300,), np.float32)
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        self.steps = getattr(self, "steps", 0)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == 7:
            raise KeyError("no such joint")
        return np.zeros(2, np.float32), 0.0, self.steps == 5, False, {}


class Drawn(Breaking):
    """Draws its first picture only."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - as gymnasium has it

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def render(self):
        if self.steps:
            raise NotImplementedError
        return np.zeros((8, 8, 3), np.uint8)


gymnasium.register("ppoc-tests/Breaking-v0", Breaking)
gymnasium.register("ppoc-tests/Drawn-v0", Drawn)


TAKEN = """
import gymnasium

class Taken(gymnasium.Env):
    def __init__(self):
        raise OSError("port 5005 is taken")

gymnasium.register("Taken-v0", Taken)
"""


def broken():
    envs = make("ppoc-tests/Breaking-v0", 3, backend="gymnasium")
    envs.reset(40)
    while True:
        envs.step(np.full((3, 300), 0.25, np.float32))


def test_the_file_says_what_makes_it_happen_again(tmp_path):
    with pytest.raises(RunError) as caught, in_one_message(tmp_path):
        broken()
    said, kept = str(caught.value).split("\n")
    assert said == (
        "ppoc-tests/Breaking-v0 failed to step: KeyError: 'no such joint'; in environment 1 of 3, "
        f"at step 7 after the reset (traceback in {tmp_path / 'error.txt'})"
    )
    assert kept == "no checkpoint was saved yet"
    text = (tmp_path / "error.txt").read_text()
    assert 'raise KeyError("no such joint")' in text
    notes = text.splitlines()[-4:]
    assert notes[:3] == [
        "environment: index 0, of 3",
        f"seed of its episode: {episode_seed(40, 0, 1)}",
        "steps of its episode: 2",
    ]
    assert notes[3].startswith("action: [0.25 0.25")
    assert len(notes[3]) < 150


def raises(error):
    raise error


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("first\nsecond"), r"the run failed: ValueError: first \(traceback in"),
        (ValueError("\ud800"), "ValueError"),
        (AssertionError(), r"the run failed: AssertionError \(traceback in"),
        (WordlessError(), "the run failed: WordlessError: its message cannot be shown"),
        (SystemExit(0), r"was ended by sys.exit\(0\) in code of others \(traceback in"),
        (GeneratorExit(), r"the run failed: GeneratorExit \(traceback in"),
    ],
)
def test_whatever_is_raised_is_one_message_and_a_file(tmp_path, error, said):
    with pytest.raises(RunError, match=said), in_one_message(tmp_path):
        raises(error)
    assert "in raises" in (tmp_path / "error.txt").read_text()


def test_code_of_others_that_changes_the_working_directory_is_named(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def goes_elsewhere():
        os.chdir("elsewhere")
        Path("run/metrics.csv").read_bytes()

    with pytest.raises(RunError) as caught, in_one_message(Path("run")):
        goes_elsewhere()
    said, moved, kept = str(caught.value).split("\n")
    assert said == "No such file or directory: run/metrics.csv"
    assert f"changed the working directory to {tmp_path / 'elsewhere'}; " in moved
    assert kept == "no checkpoint was saved yet"
    assert Path.cwd() == tmp_path


def test_a_traceback_replaces_a_link_and_writes_through_none(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "error.txt").symlink_to(tmp_path / "precious")
    with pytest.raises(RunError), in_one_message(tmp_path):
        raises(ValueError)
    assert (tmp_path / "precious").read_text() == "mine"
    assert "ValueError" in (tmp_path / "error.txt").read_text()


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    gone = tmp_path / "gone"
    with (
        pytest.raises(RunError, match=r"could not be written \(.*\); --debug prints it"),
        explained(gone, "the evaluation"),
    ):
        raises(ValueError)
    assert not gone.exists()


def test_another_verb_has_a_file_of_its_own(tmp_path):
    (tmp_path / "error.txt").write_text("the run's")
    with (
        pytest.raises(RunError, match=r"evaluation-error\.txt"),
        explained(tmp_path, "the evaluation"),
    ):
        broken()
    assert (tmp_path / "error.txt").read_text() == "the run's"
    assert "KeyError" in (tmp_path / "evaluation-error.txt").read_text()


def test_a_picture_that_cannot_be_drawn_leaves_its_traceback(tmp_path):
    (tmp_path / "run").mkdir()
    pushed = np.zeros((1, 300), np.float32)
    with (
        pytest.raises(RunError, match=r"failed to render: NotImplementedError \(traceback in"),
        explained(tmp_path / "run", "the video"),
    ):
        record("ppoc-tests/Drawn-v0", lambda x: pushed, tmp_path / "v.mp4", seed=0, fps=9)
    text = (tmp_path / "run" / "video-error.txt").read_text()
    assert "in render" in text
    assert [x.name for x in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Interrupted])
def test_who_stops_a_verb_is_no_failure(tmp_path, stop):
    with pytest.raises(stop), explained(tmp_path, "the evaluation"):
        raises(stop("SIGTERM"))
    assert not list(tmp_path.iterdir())


def test_steps_of_a_pool_name_all_that_were_taken(tmp_path):
    pytest.importorskip("envpool")
    envs = make("CartPole-v1", 2, backend="envpool")
    envs.reset(5)
    with pytest.raises(RunError, match="CartPole-v1 failed to step"), in_one_message(tmp_path):
        envs.step(np.array(["left", "right"]))
    text = (tmp_path / "error.txt").read_text()
    assert "seed of their reset: 5\n" in text
    assert "action: ['left' 'right']" in text


def test_debug_prints_what_an_environment_raised_while_it_was_compiled(
    tmp_path, monkeypatch, capsys
):
    from ppoc.cli.app import main

    (tmp_path / "taken.py").write_text(TAKEN)
    (tmp_path / "spec.yaml").write_text("ppoc: 1\nalgorithm: ppo\nenv: {id: 'taken:Taken-v0'}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for flags, printed in ([], False), (["--debug"], True):
        monkeypatch.setattr(sys, "argv", ["ppoc", "compile", "spec.yaml", "--trust", *flags])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        err = capsys.readouterr().err
        assert "OSError: port 5005 is taken" in err
        assert ('raise OSError("port 5005 is taken")' in err) == printed


def test_debug_prints_the_traceback_before_the_message(capsys):
    import typer

    from ppoc.cli import terminal

    error = RunError("one message")
    error.__cause__ = ZeroDivisionError("by others")
    with pytest.raises(typer.Exit):
        terminal.fail_by(error, debug=True)
    err = capsys.readouterr().err
    assert err.endswith("ZeroDivisionError: by others\n\nerror: one message\n")
    with pytest.raises(typer.Exit):
        terminal.fail_by(error, debug=False)
    assert capsys.readouterr().err == "error: one message\n"
    assert sys.exc_info() == (None, None, None)
