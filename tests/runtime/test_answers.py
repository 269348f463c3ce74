"""Whatever an environment or a policy gives that is none is blamed on it, with its place."""

import warnings

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from answering import AT, FINE, NAME, ended, paid, seen
from ppoc.runtime.envs.answers import reward_of, shortened
from ppoc.runtime.envs.make import make
from ppoc.runtime.envs.observations import AnswerError
from ppoc.runtime.envs.seeds import episode_seed
from ppoc.runtime.envs.vector import EnvironmentFailure, Interrupted
from ppoc.runtime.envs.wrappers import AppendActionMask
from ppoc.runtime.evaluation.evaluate import evaluate
from ppoc.runtime.evaluation.video import VideoError, record


def play(steps=12, action=0.0, **options):
    envs = make(NAME, 2, backend="gymnasium", options=options)
    envs.reset(7)
    return [envs.step(np.full((2, 1), action, np.float32)) for _ in range(steps)]


class Odd:
    def __repr__(self):
        raise RuntimeError("no words for it")


REFUSED = {
    "None": (paid(None), "gave a reward of None, which is no number"),
    "text": (paid("1"), "gave a reward of '1', which is no number"),
    "bytes": (paid(b"1"), r"gave a reward of b'1'"),
    "numpy's text": (paid(np.str_("1")), "gave a reward of np.str_"),
    "complex": (paid(1j), "gave a reward of 1j"),
    "numpy's complex": (paid(np.complex64(1)), "gave a reward of np.complex64"),
    "two": (paid(np.array([1.0, 2.0])), r"gave a reward of \[1. 2.\]"),
    "none at all": (paid([]), r"gave a reward of \[\]"),
    "ragged": (paid([1.0, [2.0]]), "gave a reward of"),
    "huge": (paid(10**400), "which float32 cannot hold"),
    "odd": (paid(Odd()), "a Odd that cannot be shown"),
    "ended None": (ended(None), "gave terminated as None, not as a bool"),
    "ended no": (ended("no"), "gave terminated as 'no', not as a bool"),
    "cut None": (ended(False, None), "gave truncated as None"),
    "cut 2": (ended(False, 2), "gave truncated as 2"),
    "ended nan": (ended(np.nan), "gave terminated as nan"),
    "ended two": (ended(np.array([True, False])), "gave terminated as"),
    "texts": (seen(np.array(["1", "2"])), "gave an observation of the type <U1"),
    "objects": (seen(np.array([1.0, None], object)), "gave an observation of the type object"),
    "complex numbers": (seen(np.zeros(2, complex)), "of the type complex128"),
    "long": (seen(np.zeros(3)), r"gave an observation of the shape \(3,\)"),
    "one number": (seen(0.5), r"gave an observation of the shape \(\)"),
    "list of lists": (seen([[0.0], [1.0, 2.0]]), "gave an observation that is no array"),
    "nothing": (seen(None), r"gave an observation of the shape \(\)"),
    "four": ((FINE, 0.0, False, {}), "other values than gymnasium's five|answered a step with 4"),
    "not a tuple": (lambda: 5, "answered a step with a int"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_step_may_not_answer_is_named_with_its_place(case):
    answer, said = REFUSED[case]
    with pytest.raises(EnvironmentFailure, match=said) as caught:
        play(answer=answer)
    assert str(caught.value).startswith(NAME)
    assert str(caught.value).endswith("in environment 1 of 2, at step 3 after the reset")
    assert f"seed of its episode: {episode_seed(7, 0, 0)}" in caught.value.__notes__


@pytest.mark.parametrize(
    "reward",
    [1, True, np.float64(1), np.int8(1), np.bool_(True), np.array(1.0), np.array([1.0]), [1]],
)
def test_one_number_of_any_kind_is_a_reward(reward):
    assert play(answer=paid(reward))[AT - 1].rewards.tolist() == [1, 1]
    assert reward_of(torch.tensor([1.0])) == 1


@pytest.mark.parametrize("flag", [True, 1, np.bool_(True), np.array([True]), np.int64(1)])
def test_truth_values_and_0_and_1_are_flags(flag):
    steps = play(answer=ended(flag))
    assert steps[AT - 1].terminated.all()
    steps = play(answer=ended(0, flag))
    assert steps[AT - 1].truncated.all()
    assert not steps[AT - 1].terminated.any()


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ((np.zeros(3, np.float32), {}), r"gave an observation of the shape \(3,\)"),
        ((np.array(["a", "b"]), {}), "gave an observation of the type <U1"),
        (FINE, "answered a reset with a ndarray"),
        ((FINE, None), "answered a reset with 2 values"),
        ((FINE, {}, {}), "answered a reset with 3 values"),
    ],
)
def test_what_a_reset_may_not_answer_is_named_with_its_place(start, said):
    with pytest.raises(EnvironmentFailure, match=said) as caught:
        play(start=start)
    assert "in environment 1 of 2, at step 5 after the reset, where an episode ended" in str(
        caught.value
    )


def follow(envs):
    """Actions that are sums of what is observed."""
    observations = envs.reset(0)
    while True:
        observations = envs.step(observations.sum(-1, keepdims=True)).observations


def test_an_observation_that_is_none_is_not_blamed_on_the_policy_that_sees_it():
    """The policy's action is no number because of it, and the environment raises on that."""
    bad = seen(np.array([0.5, np.nan], np.float32))
    envs = make(NAME, 2, backend="gymnasium", options={"answer": bad, "refuses": True})
    with pytest.raises(EnvironmentFailure) as caught:
        follow(envs)
    said = str(caught.value)
    assert said.startswith(f"{NAME} gave an observation of nan in component 1, and then")
    assert "failed to step: ValueError: the simulator diverged" in said
    assert "action: [nan]" in caught.value.__notes__


def test_an_action_that_is_none_is_the_policys():
    with pytest.raises(EnvironmentFailure, match="the policy gave an action of nan in component 0"):
        play(action=np.nan, refuses=True)


@pytest.mark.parametrize("stop", [SystemExit(0), GeneratorExit(), MemoryError("all")])
def test_what_an_environment_raises_is_an_error_of_its_own(stop):
    def raises():
        raise stop

    with pytest.raises(EnvironmentFailure, match="failed to step") as caught:
        play(answer=raises)
    assert caught.value.__cause__ is stop


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Interrupted])
def test_a_signal_in_a_step_is_no_error_of_the_environment(stop):
    def raises():
        raise stop

    with pytest.raises(stop):
        play(answer=raises)


BAD = {
    "reward": (paid(np.inf), "the environment gave a reward of inf, at step 3"),
    "observation": (
        seen(np.array([0, np.nan], np.float32)),
        "the environment gave an observation of nan in component 1, at step 3",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_an_evaluation_is_not_of_numbers_that_are_none(case):
    answer, said = BAD[case]
    envs = make(NAME, 2, backend="gymnasium", options={"answer": answer})
    with pytest.raises(EnvironmentFailure, match=said):
        evaluate(lambda observations: np.zeros((2, 1), np.float32), envs, 4, 0)


def test_an_evaluation_names_actions_and_resets_that_are_none():
    envs = make(NAME, 2, backend="gymnasium")
    with pytest.raises(EnvironmentFailure, match="the policy gave an action of nan in component 0"):
        evaluate(lambda observations: np.full((2, 1), np.nan, np.float32), envs, 4, 0)
    start = (np.full(2, np.nan, np.float32), {})
    envs = make(NAME, 2, backend="gymnasium", options={"start": start})
    with pytest.raises(EnvironmentFailure, match=r"gave an observation of nan.*, at step 5"):
        evaluate(lambda observations: np.zeros((2, 1), np.float32), envs, 4, 0)


def test_an_environment_that_cannot_be_closed_costs_no_run():
    class Stuck(gymnasium.Wrapper):
        def close(self):
            raise SystemExit(1)

    envs = make(NAME, 2, backend="gymnasium")
    closed = []
    envs._envs[1].unwrapped.close = lambda: closed.append(1)
    envs._envs[0] = Stuck(envs._envs[0])
    with pytest.warns(RuntimeWarning, match=r"failed to close: it called sys.exit\(1\)"):
        envs.close()
    assert closed == [1]


def test_large_numbers_are_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        envs = make(NAME, 2, backend="gymnasium", options={"answer": paid(3e38)})
        returns, *_ = evaluate(lambda observations: np.zeros((2, 1), np.float32), envs, 2, 0)
    assert returns.max() > 1e38


def test_a_value_is_shown_in_one_short_line():
    assert shortened("a\n b" * 1000).count("\n") == 0
    assert len(shortened(np.zeros((100, 100)))) <= 120
    assert shortened(10**5000) == "a int that cannot be shown (ValueError)"


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (None, "gave no action mask"),
        ([0, 0, 0], "lets no action be taken"),
        ([1, 1], "an action mask of 2 entries, not 3"),
        ([True, False, None], "not of ones"),
        (["1", "0", "1"], "not of ones"),
        ([1, 0.5, 1], "not of ones"),
        ([1, np.nan, 1], "not of ones"),
    ],
)
def test_a_mask_that_is_none_is_named_with_its_place(mask, said):
    first = (FINE, 0.0, False, False, {"action_mask": mask})
    options = {"answer": first, "mask": [1, 0, 1]}
    layers = [("AppendActionMask", {"size": 3})]
    envs = make(NAME, 2, backend="gymnasium", options=options, wrappers=layers)
    with pytest.raises(EnvironmentFailure, match=said) as caught:
        evaluate(lambda observations: np.zeros((2, 1), np.float32), envs, 2, 0)
    assert "in environment 1 of 2, at step 3 after the reset" in str(caught.value)


@pytest.mark.parametrize("ended", ["terminated", "truncated"])
def test_nothing_need_be_allowed_after_the_last_step(ended):
    class Ending(gymnasium.Wrapper):
        def step(self, action):
            info = {"action_mask": [0, 0, 0]}
            return FINE, 1.0, ended == "terminated", ended == "truncated", info

    env = Ending(gymnasium.make(NAME))
    assert AppendActionMask(env, 3).step(0)[0][-3:].tolist() == [0, 0, 0]


def test_each_choice_of_several_needs_one_that_may_be_taken():
    env = gymnasium.make(NAME)
    env.action_space = spaces.MultiDiscrete([2, 3])
    masked = AppendActionMask(env, 5)
    assert masked.view(FINE, {"action_mask": ([0, 1], [1, 0, 0])}).tolist() == [0, 0, 0, 1, 1, 0, 0]
    with pytest.raises(AnswerError, match="lets no action be taken"):
        masked.view(FINE, {"action_mask": ([1, 1], [0, 0, 0])})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"answer": ZeroDivisionError},
            "failed to step: .*; at step 3 of episode 1, the first .* seed 0; action",
        ),
        ({"answer": seen(np.full(2, np.nan, np.float32))}, "an observation of nan in component 0"),
        ({"answer": ended(None)}, "gave terminated as None"),
        ({"draws": False}, "failed to render: ZeroDivisionError"),
    ],
)
def test_what_ends_a_video_is_named(tmp_path, options, said):
    with pytest.raises((EnvironmentFailure, VideoError), match=said):
        record(
            NAME, lambda x: np.zeros((1, 1)), tmp_path / "video.mp4", seed=0, options=options, fps=9
        )
    assert not list(tmp_path.iterdir())
