"""The same contract for every backend, and each backend against an independent computation."""

import os

import gymnasium
import numpy as np
import pytest

from ppoc.runtime.envs.make import make
from ppoc.runtime.envs.pooled_envs import PooledEnvs
from ppoc.runtime.envs.seeds import episode_seed
from ppoc.runtime.envs.vector import EnvironmentFailure, Step, VectorEnv

pytestmark = pytest.mark.filterwarnings("ignore:compiler attribute:RuntimeWarning")

BACKENDS = ["gymnasium", "envpool", "torch"]
ENV_IDS = ["CartPole-v1", "Pendulum-v1", "HalfCheetah-v5"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    pytest.importorskip(request.param)
    if request.param == "torch" and request.node.callspec.params.get("env_id") == "HalfCheetah-v5":
        pytest.skip("not an environment that torch steps")
    return request.param


def random_actions(envs: VectorEnv, steps: int, seed: int = 0) -> np.ndarray:
    envs.action_space.seed(seed)
    return np.array(
        [[envs.action_space.sample() for _ in range(envs.num_envs)] for _ in range(steps)]
    )


def play(envs: VectorEnv, actions: np.ndarray, seed: int) -> tuple[np.ndarray, Step]:
    """The observations acted on [T, N, O], and steps stacked to [T, N, …]."""
    observations = [envs.reset(seed)]
    steps = []
    for action in actions:
        steps.append(envs.step(action))
        observations.append(steps[-1].observations)
    return np.array(observations[:-1]), Step(*map(np.array, zip(*steps, strict=True)))


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_shapes_and_dtypes(backend, env_id):
    envs = make(env_id, 3, backend=backend)
    size = envs.observation_space.shape[0]
    first = envs.reset(7)
    step = envs.step(random_actions(envs, 1)[0])
    assert first.shape == (3, size)
    assert first.dtype == np.float32
    for array in (step.observations, step.next_observations):
        assert array.shape == (3, size)
        assert array.dtype == np.float32
    assert (step.rewards.shape, step.rewards.dtype) == ((3,), np.float32)
    for array in (step.terminated, step.truncated):
        assert (array.shape, array.dtype) == ((3,), np.bool_)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_successor_differs_from_observation_only_where_an_episode_ended(backend, env_id):
    envs = make(env_id, 3, backend=backend, max_episode_steps=12)
    _, steps = play(envs, random_actions(envs, 60), seed=1)
    ended = steps.terminated | steps.truncated
    same = (steps.observations == steps.next_observations).all(axis=-1)
    assert ended.sum() >= 3 * (60 // 12)
    np.testing.assert_array_equal(same, ~ended)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_time_limit_truncates_and_episodes_have_exactly_its_length(backend, env_id):
    envs = make(env_id, 2, backend=backend, max_episode_steps=5)
    _, steps = play(envs, random_actions(envs, 20), seed=3)
    assert not steps.terminated.any()
    ends, _ = np.nonzero(steps.truncated)
    np.testing.assert_array_equal(ends, np.repeat([4, 9, 14, 19], 2))


def test_falling_terminates_without_truncation(backend):
    envs = make("CartPole-v1", 4, backend=backend)
    _, steps = play(envs, np.ones((100, 4), np.int64), seed=3)
    assert steps.terminated.any(axis=0).all()
    assert not steps.truncated.any()


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_seeds_decide_trajectories(backend, env_id):
    envs = make(env_id, 3, backend=backend, max_episode_steps=15)
    actions = random_actions(envs, 40)
    _, first = play(envs, actions, seed=11)
    _, again = play(envs, actions, seed=11)
    _, other = play(envs, actions, seed=12)
    _, elsewhere = play(make(env_id, 3, backend=backend, max_episode_steps=15), actions, seed=11)
    for field, repeated, remade in zip(first, again, elsewhere, strict=True):
        np.testing.assert_array_equal(field, repeated)
        np.testing.assert_array_equal(field, remade)
    assert not np.array_equal(first.observations, other.observations)
    assert not np.array_equal(first.observations[:, 0], first.observations[:, 1])


def test_threads_of_environments_are_as_many_as_the_run_has(monkeypatch):
    pytest.importorskip("envpool")
    cores = len(os.sched_getaffinity(0))
    for told, threads in (("1", 1), ("9999", cores), ("", cores), ("0", cores), ("all", cores)):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert PooledEnvs("CartPole-v1", 64, {})._arguments["num_threads"] == threads


def test_threads_do_not_change_trajectories():
    pytest.importorskip("envpool")
    one = make("CartPole-v1", 8, backend="envpool", threads=1)
    four = make("CartPole-v1", 8, backend="envpool", threads=4)
    actions = random_actions(one, 200)
    for left, right in zip(play(one, actions, 5)[1], play(four, actions, 5)[1], strict=True):
        np.testing.assert_array_equal(left, right)


def test_every_transition_obeys_the_dynamics_of_cartpole(backend):
    """Each transition is stepped again, alone: a dummy step or a mixed-up row would not match."""
    envs = make("CartPole-v1", 5, backend=backend)
    actions = random_actions(envs, 150)
    observations, steps = play(envs, actions, seed=2)
    reference = gymnasium.make("CartPole-v1").unwrapped
    reference.reset(seed=0)
    for t, env in np.ndindex(actions.shape):
        reference.state = tuple(observations[t, env].astype(np.float64))
        reference.steps_beyond_terminated = None
        successor, reward, terminated, _, _ = reference.step(actions[t, env])
        np.testing.assert_allclose(steps.next_observations[t, env], successor, atol=1e-5)
        assert steps.terminated[t, env] == terminated
        assert steps.rewards[t, env] == reward
    assert steps.terminated.sum() > 10
    starts = steps.observations[steps.terminated]
    assert (np.abs(starts) <= 0.05).all()


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_gymnasium_equals_single_environments_reset_by_hand(env_id):
    envs = make(env_id, 3, backend="gymnasium", max_episode_steps=20)
    actions = random_actions(envs, 50)
    observations, steps = play(envs, actions, seed=21)
    for index in range(3):
        env = gymnasium.make(env_id, max_episode_steps=20)
        observation, _ = env.reset(seed=episode_seed(21, index, 0))
        episode = 0
        for t in range(50):
            np.testing.assert_array_equal(observations[t, index], np.float32(observation))
            observation, reward, terminated, truncated, _ = env.step(actions[t, index])
            final = steps.next_observations[t, index]
            np.testing.assert_array_equal(final, np.float32(observation))
            assert steps.rewards[t, index] == np.float32(reward)
            assert (steps.terminated[t, index], steps.truncated[t, index]) == (
                terminated,
                truncated,
            )
            if terminated or truncated:
                episode += 1
                observation, _ = env.reset(seed=episode_seed(21, index, episode))


@pytest.mark.parametrize("backend", ["gymnasium", "envpool"])
def test_options_reach_the_environment(backend):
    free, dear = (
        make("HalfCheetah-v5", 1, backend=backend, options={"ctrl_cost_weight": weight})
        for weight in (0.0, 9.0)
    )
    actions = random_actions(free, 1)
    cost = play(free, actions, 0)[1].rewards - play(dear, actions, 0)[1].rewards
    np.testing.assert_allclose(cost, 9 * np.square(actions).sum(axis=-1), rtol=1e-4)


class Counter(gymnasium.Env):
    """Counts its steps in one array that it hands out again and again; ends after three."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)

    def __init__(self, breaks=False, action_space=None) -> None:
        self.action_space = action_space or gymnasium.spaces.Discrete(2)
        self.count = np.zeros(2)
        self.breaks = breaks

    def reset(self, *, seed=None, options=None):
        self.count[:] = 0
        return self.count, {}

    def step(self, action):
        self.count += 1
        if self.breaks and self.count[0] == 2:
            raise ZeroDivisionError("the pole broke")
        return self.count, 1.0, bool(self.count[0] == 3), False, {}


gymnasium.register("ppoc-tests/Counter-v0", Counter, max_episode_steps=3)


def test_an_environment_may_reuse_its_observation_array():
    envs = make("ppoc-tests/Counter-v0", 1, backend="gymnasium")
    observations, steps = play(envs, np.zeros((5, 1), np.int64), seed=0)
    assert observations[:, 0, 0].tolist() == [0, 1, 2, 0, 1]
    assert steps.next_observations[:, 0, 0].tolist() == [1, 2, 3, 1, 2]


def test_gymnasium_reports_termination_on_the_last_allowed_step_as_both():
    envs = make("ppoc-tests/Counter-v0", 1, backend="gymnasium")
    _, steps = play(envs, np.zeros((3, 1), np.int64), seed=0)
    assert steps.terminated[2, 0]
    assert steps.truncated[2, 0]


def test_failures_keep_their_cause():
    envs = make("ppoc-tests/Counter-v0", 1, backend="gymnasium", options={"breaks": True})
    envs.reset(0)
    envs.step(np.zeros(1, np.int64))
    with pytest.raises(EnvironmentFailure, match="the pole broke") as raised:
        envs.step(np.zeros(1, np.int64))
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_unknown_environments_and_spaces_are_refused(backend):
    with pytest.raises(EnvironmentFailure, match="cannot make Nonsense-v0"):
        make("Nonsense-v0", 1, backend=backend)
    refused = "no tensor environment" if backend == "torch" else "vectors or images"
    with pytest.raises(EnvironmentFailure, match=refused):
        make("FrozenLake-v1", 1, backend=backend)


def test_environments_as_tensors_take_no_options():
    with pytest.raises(EnvironmentFailure, match="no options"):
        make("CartPole-v1", 2, backend="torch", options={"sutton_barto_reward": True})


@pytest.mark.parametrize(
    "space",
    [
        gymnasium.spaces.Text(3),
        gymnasium.spaces.Tuple((gymnasium.spaces.Discrete(2),)),
        gymnasium.spaces.Dict(a=gymnasium.spaces.Discrete(2)),
    ],
)
def test_action_spaces_that_agents_do_not_take_are_refused(space):
    with pytest.raises(EnvironmentFailure, match="no policy here takes"):
        make("ppoc-tests/Counter-v0", 1, backend="gymnasium", options={"action_space": space})


def test_envpool_says_that_it_needs_a_reset_first():
    pytest.importorskip("envpool")
    with pytest.raises(EnvironmentFailure, match="before its first reset"):
        make("CartPole-v1", 1, backend="envpool").step(np.zeros(1, np.int64))


def test_mujoco_warnings_do_not_litter_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make("HalfCheetah-v5", 2, backend="gymnasium")
    assert not list(tmp_path.iterdir())
