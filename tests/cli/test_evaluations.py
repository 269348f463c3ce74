"""How `ppoc eval` is told what to play, and what a run says that evaluates nothing."""

import json

import pytest

SPEC = """\
ppoc: 1
algorithm: ppo
env: {id: CartPole-v1, num_envs: 4}
update: {rollout_steps: 128, minibatch_size: 64, epochs: 1}
training: {total_steps: 128, compile: never}
evaluation: {episodes: 0}
"""


@pytest.fixture
def run(ppoc, tmp_path):
    """A run that evaluated nothing, as it says."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    done = ppoc("run", "spec.yaml", "-o", "run", "-q")
    assert done.code == 0
    assert "`evaluation.episodes` is 0; `ppoc eval` evaluates" in done.out
    assert json.loads((tmp_path / "run" / "result.json").read_text())["evaluation"] is None
    return "run"


def test_a_finished_run_without_an_evaluation_stays_as_it_is(ppoc, run, tmp_path):
    before = (tmp_path / run / "result.json").read_bytes()
    assert "there is nothing to resume" in ppoc("run", run, "--resume", "-q").out
    assert (tmp_path / run / "result.json").read_bytes() == before
    assert ppoc("export", run, "--format", "hub").code == 0  # with one of its own


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), {"episodes": 10, "cut": 0, "cut_after": 0}),
        (("-n", "3", "--max-steps", "5"), {"episodes": 3, "cut": 3, "cut_after": 5, "max": 5.0}),
        (("-s", "evaluation.max_steps=5"), {"episodes": 10, "cut": 10, "cut_after": 5}),
        (("-s", "evaluation={episodes: 2, max_steps: 6}"), {"episodes": 2, "cut_after": 6}),
        (("-s", "evaluation.max_steps=9", "--max-steps", "5"), {"cut_after": 5}),
        (("-s", "evaluation.max_steps=null", "-s", "evaluation.num_envs=1"), {"cut_after": 0}),
    ],
)
def test_flags_and_overrides_of_an_evaluation(ppoc, run, flags, expected):
    done = ppoc("eval", run, "--json", *flags)
    assert done.code == 0
    found = json.loads(done.out)
    assert {key: found[key] for key in expected} == expected


def test_cut_episodes_are_said(ppoc, run):
    done = ppoc("eval", run, "-n", "4", "--max-steps", "5")
    assert done.out.endswith("over 4 episodes, of which 4 were cut after 5 steps\n")


@pytest.mark.parametrize(
    ("override", "code", "said"),
    [
        (
            "env.num_envs=2",
            2,
            "`env.num_envs` cannot be set for an evaluation; evaluation.episodes",
        ),
        ("evaluation.every=9", 2, "`evaluation.every` cannot be set for an evaluation"),
        ("evaluation.max_step=9", 2, "`evaluation.max_step` cannot be set"),
        ("evaluation.episodes=0", 2, "an evaluation of 0 episodes says nothing"),
        ("evaluation.episodes=-1", 1, "it must be at least 0"),
        ("evaluation.max_steps=many", 1, "error[E011]"),
        ("max_steps", 1, "error[E018]"),
    ],
)
def test_other_overrides_are_refused(ppoc, run, override, code, said):
    done = ppoc("eval", run, "-s", override)
    assert done.code == code
    assert said in done.err


def test_a_video_of_an_episode_that_does_not_end_says_so(ppoc, run, monkeypatch):
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    done = ppoc("eval", run, "-n", "1", "--max-steps", "3", "--video", "film.mp4")
    assert done.code == 0
    assert "an episode had not ended after 3 steps and was cut; --max-steps films more" in done.err
