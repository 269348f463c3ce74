"""Environments are brought back to where they were, from their episodes' seeds and actions."""

import gymnasium
import numpy as np
import pytest

from ppoc.runtime.envs import replay
from ppoc.runtime.envs.make import make
from ppoc.runtime.envs.replay import ActionReplayEnv, ReplayError
from ppoc.runtime.envs.seeds import episode_seed

pytestmark = pytest.mark.filterwarnings("ignore:compiler attribute:RuntimeWarning")

LIVES = [
    ("FrameSkip", {"skip": 4}),
    ("EpisodicLife", {}),
    ("FireReset", {}),
    ("ChannelsFirst", {}),
    ("StackFrames", {"count": 2}),
]
CASES = {
    "CartPole": ("CartPole-v1", {"backend": "gymnasium"}),
    "Pendulum": ("Pendulum-v1", {"backend": "gymnasium", "max_episode_steps": 40}),
    "a timeout": ("CartPole-v1", {"backend": "gymnasium", "step_timeout": 60.0}),
    "envpool": ("CartPole-v1", {"backend": "envpool"}),
    "torch": ("CartPole-v1", {"backend": "torch"}),
    "torch, cut": ("Pendulum-v1", {"backend": "torch", "max_episode_steps": 7}),
    "lives": (
        "BreakoutNoFrameskip-v4",
        {"backend": "gymnasium", "wrappers": LIVES, "package": "ale_py"},
    ),
}


def opened(name):
    env_id, arguments = CASES[name]
    for needed in {"envpool", "ale_py"} & {arguments["backend"], arguments.get("package")}:
        pytest.importorskip(needed)
    return ActionReplayEnv(make(env_id, 3, **arguments))


def random_actions(envs, steps):
    envs.action_space.seed(0)
    return np.array([[envs.action_space.sample() for _ in range(3)] for _ in range(steps)])


@pytest.mark.parametrize("name", CASES)
def test_environments_go_on_as_if_they_had_never_stopped(name):
    envs, others = opened(name), opened(name)
    actions = random_actions(envs, 420 if name == "lives" else 90)
    envs.reset(5)
    for action in actions[:-30]:
        last = envs.step(action)
    state = envs.state()
    assert len(state["actions"]) == state["lengths"].max()
    np.testing.assert_array_equal(others.replay(state), last.observations)
    for action in actions[-30:]:
        for ours, theirs in zip(envs.step(action), others.step(action), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    after, after_too = envs.state(), others.state()
    assert after.keys() == after_too.keys()
    for field, kept in after.items():
        np.testing.assert_array_equal(kept, after_too[field])


def test_a_life_that_is_lost_ends_no_episode_that_is_replayed():
    envs = opened("lives")
    envs.reset(5)
    lost = 0
    for action in random_actions(envs, 300):
        step = envs.step(action)
        lost += int(step.terminated.sum())
    assert lost > envs.envs.running.episodes.sum()


def test_every_episode_has_a_seed_of_its_own():
    """Whatever the environment did in those before it."""
    seeds = {episode_seed(1, index, episode) for index in range(20) for episode in range(50)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
    envs = make("CartPole-v1", 3, backend="gymnasium")
    observations = envs.reset(7)
    began = [0, 0, 0]
    alone = gymnasium.make("CartPole-v1")
    for action in random_actions(envs, 100):
        step = envs.step(action)
        for index in np.flatnonzero(step.terminated):
            began[index] += 1
            observations, _ = alone.reset(seed=episode_seed(7, int(index), began[index]))
            np.testing.assert_array_equal(step.observations[index], observations)
    assert envs.running.episodes.tolist() == began
    assert min(began) > 1


def test_only_actions_of_running_episodes_are_kept(monkeypatch):
    envs = ActionReplayEnv(make("CartPole-v1", 2, backend="gymnasium"))
    envs.reset(1)
    for action in random_actions(envs, 3000)[:, :2]:
        envs.step(action)
    assert len(envs._actions) == replay.FIRST_CAPACITY


def test_an_endless_episode_is_kept_and_replayed_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(replay, "LONGEST", 300)
    envs = ActionReplayEnv(make("Pendulum-v1", 2, backend="gymnasium", max_episode_steps=9999))
    envs.reset(1)
    actions = np.zeros((2, 1), np.float32)
    for steps in range(1, 5000):
        envs.step(actions)
        if steps in (300, 301):
            state = envs.state()
            again = ActionReplayEnv(
                make("Pendulum-v1", 2, backend="gymnasium", max_episode_steps=9999)
            )
            if steps == 300:
                again.replay(state)
            else:
                assert not len(state["actions"])
                with pytest.raises(ReplayError, match="for 301 steps, of which 300 are replayed"):
                    again.replay(state)
    assert len(envs._actions) <= 4 * 300


@pytest.mark.parametrize("wrapper", ["NormalizeObservation", "NormalizeReward"])
def test_a_wrapper_that_remembers_earlier_episodes_is_told_apart(wrapper):
    """Its statistics are of all episodes so far, of which the running one alone is replayed."""
    envs, others = (
        ActionReplayEnv(make("CartPole-v1", 3, backend="gymnasium", wrappers=[(wrapper, {})]))
        for _ in range(2)
    )
    envs.reset(1)
    for action in random_actions(envs, 60):
        envs.step(action)
    assert envs.envs.running.episodes.all()
    with pytest.raises(ReplayError, match="are not where they were"):
        others.replay(envs.state())


def test_nothing_is_kept_where_new_episodes_are_to_begin():
    envs = opened("CartPole")
    envs.reset(1)
    assert envs.state() == {}
    envs.step(np.zeros(3, np.int64))
    assert envs.state()
    envs.forget()
    assert envs.state() == {}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("seed", np.array(-1), "no seed"),
        ("seed", np.array(2**31), "no seed"),
        ("seed", np.array(1.5), "no seed"),
        ("seed", np.array([1, 2]), "no seed"),
        ("episodes", np.array([0, 0]), "another number of them"),
        ("episodes", np.array([0, 0, -1]), "no episodes"),
        ("episodes", np.array([9, 9, 9]), "are not where they were"),
        ("lengths", np.array([0.5, 1, 1]), "no lengths"),
        ("lengths", np.array([2**60, 1, 1]), "has gone on for"),
        ("lengths", np.array([5, 5, 5]), "lacks actions"),
        ("rewards", np.zeros((3, 1)), "another number of them"),
        ("rewards", np.array([9.0, 9, 9]), "are not where they were"),
        ("observations", np.zeros(3), "are not where they were"),
        ("actions", np.zeros(0), "actions that they do not take"),
        ("actions", None, "actions that they do not take"),
        ("observations", None, "are not where they were"),
    ],
)
def test_what_is_no_state_is_refused(field, value, said):
    envs = opened("CartPole")
    envs.reset(3)
    for action in random_actions(envs, 8):
        envs.step(action)
    state = envs.state()
    assert envs.state()["lengths"].tolist() == [8, 8, 8]
    state.pop(field)
    if value is not None:
        state[field] = value
    with pytest.raises(ReplayError, match=said):
        opened("CartPole").replay(state)
