"""Limits that wrappers and environments keep are found; what is none is not taken for one."""

import gymnasium
import pytest
from gymnasium.wrappers import TimeLimit

from ppoc.compiler.agent.env.time_limits import time_limit


class Own(gymnasium.Env):
    """An environment with limits of its own."""

    def __init__(self, **limits):
        vars(self).update(limits)

    @property
    def max_episode_steps(self):
        raise RuntimeError("not yet")


def test_the_limit_of_a_registration_or_of_a_spec():
    assert time_limit(gymnasium.make("CartPole-v1")) == 500
    assert time_limit(gymnasium.make("CartPole-v1", max_episode_steps=7)) == 7
    assert time_limit(gymnasium.make("CliffWalking-v1", max_episode_steps=7)) == 7
    assert time_limit(TimeLimit(gymnasium.make("CartPole-v1"), 40)) == 40


def test_environments_without_one():
    assert time_limit(gymnasium.make("CliffWalking-v1")) is None
    assert time_limit(gymnasium.make("Blackjack-v1")) is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_steps": 256}, 256),  # as MiniGrid has it
        ({"_max_episode_steps": 30, "max_steps": 90}, 90),
        ({"max_steps": 0}, None),
        ({"max_steps": True}, None),
        ({"max_steps": "100"}, None),
        ({"max_steps": 10**9}, None),
        ({"max_steps": float("inf")}, None),
        ({}, None),
    ],
)
def test_limits_of_an_environment_itself(limits, expected):
    assert time_limit(Own(**limits)) == expected
    assert time_limit(TimeLimit(Own(**limits), 8)) == 8
    assert time_limit(TimeLimit(Own(**limits), 10**9)) is None


def test_games_are_limited_in_frames():
    ale_py = pytest.importorskip("ale_py")
    gymnasium.register_envs(ale_py)
    assert time_limit(gymnasium.make("PongNoFrameskip-v4")) == 108_000
