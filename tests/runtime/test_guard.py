"""Numbers that are not finite are found wherever they are; observations are what was announced."""

from typing import NamedTuple

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from ppoc.runtime.envs.guard import check_rollout
from ppoc.runtime.envs.observations import check_observation, choices
from ppoc.runtime.envs.vector import EnvironmentFailure


class Rollout(NamedTuple):
    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    next_observations: np.ndarray


def rollout(dtype=np.float32):
    rng = np.random.default_rng(0)
    return Rollout(
        observations=rng.normal(size=(5, 3, 4)).astype(dtype),
        actions=rng.normal(size=(5, 3, 2)).astype(np.float32),
        rewards=rng.normal(size=(5, 3)).astype(np.float32),
        terminated=np.zeros((5, 3), bool),
        next_observations=rng.normal(size=(5, 3, 4)).astype(dtype),
    )


@given(
    st.sampled_from(["observations", "actions", "rewards", "next_observations"]),
    st.sampled_from([np.nan, np.inf, -np.inf]),
    st.integers(0, 10**6),
)
def test_one_number_that_is_not_finite_is_found_and_placed(name, value, index):
    arrays = rollout()
    array = getattr(arrays, name)
    place = np.unravel_index(index % array.size, array.shape)
    array[place] = value
    with pytest.raises(EnvironmentFailure) as caught:
        check_rollout("Toy-v0", arrays)
    said = str(caught.value)
    assert f"of {value}" in said
    assert f"at step {place[0] + 1} of 5" in said
    assert f"in environment {place[1] + 1} of 3" in said
    if len(place) == 3:
        assert f"in component {place[2]}," in said
    assert said.startswith("the policy" if name == "actions" else "Toy-v0")


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        # An action is none because the observation before it is.
        ({"observations": (2, 1, 0), "actions": (2, 1, 0)}, "Toy-v0 gave an observation of nan"),
        ({"next_observations": (1, 1, 0), "actions": (2, 1, 0)}, "Toy-v0 gave an observation"),
        # The environment was given what is none.
        ({"actions": (1, 0, 1), "observations": (2, 0, 1)}, "the policy gave an action of nan"),
        ({"actions": (1, 0, 1), "rewards": (1, 0)}, "the policy gave an action of nan"),
        ({"rewards": (1, 0), "next_observations": (1, 0, 1)}, "Toy-v0 gave a reward of nan"),
        ({"rewards": (4, 2), "actions": (3, 2, 1)}, "the policy gave an action of nan"),
    ],
)
def test_who_was_first_is_blamed(faults, said):
    arrays = rollout()
    for name, place in faults.items():
        getattr(arrays, name)[place] = np.nan
    with pytest.raises(EnvironmentFailure, match=said):
        check_rollout("Toy-v0", arrays)


def test_infinities_that_cancel_are_found():
    arrays = rollout()
    arrays.rewards[0, 0], arrays.rewards[1, 1] = np.inf, -np.inf
    with pytest.raises(EnvironmentFailure, match="a reward of inf"):
        check_rollout("Toy-v0", arrays)


def test_what_is_finite_passes_however_large():
    check_rollout("Toy-v0", rollout())
    check_rollout("Toy-v0", rollout(np.uint8))
    large = rollout()
    large.rewards[:] = np.finfo(np.float32).max  # their sum is not finite
    check_rollout("Toy-v0", large)


@pytest.mark.parametrize(
    ("observation", "shape", "dtype", "said"),
    [
        (np.zeros(2), (3,), np.float32, r"the shape \(2,\)"),
        (0.5, (3,), np.float32, r"the shape \(\)"),
        (np.zeros((3, 1)), (3,), np.float32, r"the shape \(3, 1\)"),
        (np.array(["a"] * 3), (3,), np.float32, "the type <U1"),
        (np.array([None] * 3), (3,), np.float32, "the type object"),
        (np.zeros(3, complex), (3,), np.float32, "the type complex128"),
        (np.full((1, 2, 2), 0.5), (1, 2, 2), np.uint8, "float64, loses its values"),
        (np.full((1, 2, 2), 300), (1, 2, 2), np.uint8, "int64, loses its values"),
        (np.full((1, 2, 2), -1), (1, 2, 2), np.uint8, "loses its values"),
    ],
)
def test_observations_that_are_not_as_announced(observation, shape, dtype, said):
    with pytest.raises(ValueError, match=said):
        check_observation(observation, shape, dtype)


@pytest.mark.parametrize(
    ("observation", "dtype"),
    [
        ([0.0, 1.0, 2.0], np.float32),
        (np.zeros(3, np.float64), np.float32),
        (np.arange(3), np.float32),
        (np.array([True, False, True]), np.float32),
        (np.array([0.0, 255.0, 3.0]), np.uint8),
    ],
)
def test_observations_that_lose_nothing_pass(observation, dtype):
    check_observation(observation, (3,), dtype)


def test_every_choice_of_a_nested_space_is_found():
    space = spaces.Dict(
        {
            "a": spaces.Discrete(3),
            "b": spaces.Tuple([spaces.Box(0, 1, (2,)), spaces.MultiDiscrete([2, 3])]),
        }
    )
    observation = {"a": 2, "b": (np.zeros(2), np.array([1, 0]))}
    found = [(choice, get(observation)) for get, choice in choices(space)]
    assert [choice for choice, _ in found] == [space["a"], space["b"][1]]
    assert [np.asarray(value).tolist() for _, value in found] == [2, [1, 0]]
    assert list(choices(spaces.Box(0, 1, (2,)))) == []
