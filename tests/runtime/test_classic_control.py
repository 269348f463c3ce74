"""The tensor environments against gymnasium's own, and what capturing them asks of them."""

import math

import gymnasium
import numpy as np
import pytest
import torch
from torch._ops import OpOverload
from torch.fx.experimental.proxy_tensor import make_fx

from ppoc.runtime.envs.classic_control import ENVIRONMENTS
from ppoc.runtime.envs.tensor_envs import State, TorchEnvs, Transition, make, start, step
from ppoc.runtime.envs.vector import EnvironmentFailure

ENV_IDS = list(ENVIRONMENTS)
TERMINATING = [env_id for env_id in ENV_IDS if env_id != "Pendulum-v1"]
# States that reach past every limit, angles beyond a turn and both sides of each goal.
EXTENTS = {
    "CartPole-v0": ([-2.6, -3, -0.25, -3], [2.6, 3, 0.25, 3]),
    "CartPole-v1": ([-2.6, -3, -0.25, -3], [2.6, 3, 0.25, 3]),
    "Acrobot-v1": ([-math.pi, -math.pi, -12, -28], [math.pi, math.pi, 12, 28]),
    "Pendulum-v1": ([-20, -8], [20, 8]),
    "MountainCar-v0": ([-1.2, -0.07], [0.6, 0.07]),
    "MountainCarContinuous-v0": ([-1.2, -0.07], [0.6, 0.07]),
}


def random_actions(env_id: str, *shape: int, seed: int = 0) -> np.ndarray:
    """Random actions; of a Box, to half as much again beyond its bounds."""
    rng = np.random.default_rng(seed)
    space = ENVIRONMENTS[env_id].action_space
    if isinstance(space, gymnasium.spaces.Discrete):
        return rng.integers(space.n, size=shape)
    return rng.uniform(1.5 * space.low, 1.5 * space.high, (*shape, *space.shape)).astype(np.float32)


def some_state(env_id: str, num_envs: int) -> tuple[State, torch.Tensor, torch.Tensor]:
    """Arguments of a step: a state with every other episode one step from a limit of 10."""
    dynamics = ENVIRONMENTS[env_id]
    inner, uniform = torch.rand(
        (2, num_envs, dynamics.state_size), generator=torch.Generator().manual_seed(0)
    )
    elapsed = torch.tensor([9, 3]).repeat(num_envs // 2)
    actions = torch.from_numpy(random_actions(env_id, num_envs))
    return State(dynamics.start(inner), elapsed), actions, uniform


def play(envs: TorchEnvs, actions: np.ndarray, seed: int) -> tuple[np.ndarray, Transition]:
    """The first observations [N, O], and steps stacked to [T, N, …]."""
    first = envs.reset(seed)
    steps = [envs.step(action) for action in actions]
    return first, Transition(*map(np.array, zip(*steps, strict=True)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-7), (torch.float32, 1e-5)])
@pytest.mark.parametrize("env_id", ENV_IDS)
def test_a_step_from_any_state_is_gymnasiums(env_id, dtype, tolerance):
    """In float64 only gymnasium's rounding of observations remains, so flags have to be equal."""
    dynamics = ENVIRONMENTS[env_id]
    reference = gymnasium.make(env_id).unwrapped
    reference.reset(seed=0)
    states = np.random.default_rng(1).uniform(*EXTENTS[env_id], (500, dynamics.state_size))
    states = states.astype(np.float32)
    if env_id == "Acrobot-v1" and dtype == torch.float32:
        # At full speed a step magnifies the rounding of its own argument to more than 1e-3.
        states[:, 2:] /= 2
    actions = random_actions(env_id, 500)
    expected = []
    for state, action in zip(states, actions, strict=True):
        reference.state = state.astype(np.float64)
        reference.steps_beyond_terminated = None
        observation, reward, terminated, _, _ = reference.step(action)
        expected.append((observation, reward, terminated))
    observations, rewards, terminated = map(np.array, zip(*expected, strict=True))
    tensor = torch.from_numpy(states).to(dtype)
    successor, our_rewards, our_terminated = dynamics.advance(tensor, torch.from_numpy(actions))
    np.testing.assert_allclose(
        dynamics.observe(successor), observations, rtol=tolerance, atol=tolerance
    )
    np.testing.assert_allclose(our_rewards, rewards, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(our_terminated, terminated)
    assert successor.dtype == our_rewards.dtype == dtype
    assert terminated.any() == (env_id in TERMINATING)
    assert not terminated.all()


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_episodes_follow_gymnasiums(env_id):
    """The state is set to gymnasium's every ten steps: rounding grows fast in chaotic motion."""
    dynamics = ENVIRONMENTS[env_id]
    reference = gymnasium.make(env_id)
    observation, _ = reference.reset(seed=3)
    ended = True
    state = State(torch.empty(1, dynamics.state_size), torch.zeros(1, dtype=torch.int64))
    uniform = torch.zeros(1, dynamics.state_size)
    ends = []
    for t, action in enumerate(random_actions(env_id, 600)):
        if ended or t % 10 == 0:
            inner = torch.tensor(np.array(reference.unwrapped.state), dtype=torch.float32)[None]
            state = State(inner, state.elapsed)
            np.testing.assert_allclose(dynamics.observe(inner)[0], observation, atol=1e-6)
        state, transition = step(
            dynamics, state, torch.tensor(action)[None], uniform, dynamics.max_episode_steps
        )
        observation, reward, terminated, truncated, _ = reference.step(action)
        np.testing.assert_allclose(
            transition.next_observations[0], observation, rtol=1e-5, atol=2e-5
        )
        np.testing.assert_allclose(transition.rewards[0], reward, rtol=1e-5, atol=2e-5)
        assert (transition.terminated[0], transition.truncated[0]) == (terminated, truncated)
        ended = terminated or truncated
        if ended:
            ends.append(t)
            assert state.elapsed[0] == 0
            observation, _ = reference.reset()
    assert ends or dynamics.max_episode_steps > 600


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_initial_states_are_distributed_as_gymnasiums(env_id):
    dynamics = ENVIRONMENTS[env_id]
    reference = gymnasium.make(env_id).unwrapped
    reference.reset(seed=0)
    theirs = []
    for _ in range(4000):
        reference.reset()
        theirs.append(np.array(reference.state))
    low, high = (dynamics.start(torch.full((dynamics.state_size,), u)) for u in (0.0, 1.0))
    uniform = torch.rand(4000, dynamics.state_size, generator=torch.Generator().manual_seed(0))
    ours = dynamics.start(uniform).numpy()
    width = (high - low).numpy()
    for states in (ours, theirs):
        assert (states >= low.numpy() - 1e-6).all()
        assert (states <= high.numpy() + 1e-6).all()
        np.testing.assert_array_less(np.ptp(states, axis=0) * -1, -0.99 * width + 1e-9)
        for q in (0.1, 0.25, 0.5, 0.75, 0.9):
            expected = low.numpy() + q * width
            assert (np.abs(np.quantile(states, q, axis=0) - expected) <= 0.04 * width).all()
    # A mean's standard error is 0.29 / √4000 = 0.005 of the width.
    assert (np.abs(ours.mean(0) - np.mean(theirs, 0)) <= 0.03 * width).all()
    correlations = np.corrcoef(ours[:, width > 0], rowvar=False)
    assert (np.abs(np.atleast_2d(correlations) - np.eye((width > 0).sum())) < 0.07).all()


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_spaces_and_limits_are_gymnasiums(env_id):
    dynamics = ENVIRONMENTS[env_id]
    reference = gymnasium.make(env_id)
    envs = make(env_id, 2)
    for ours in (dynamics, envs):
        assert ours.observation_space == reference.observation_space
        assert ours.action_space == reference.action_space
        assert ours.observation_space.dtype == reference.observation_space.dtype
        assert ours.max_episode_steps == gymnasium.spec(env_id).max_episode_steps
    assert dynamics.observation_size == reference.observation_space.shape[0]
    assert envs.action_space is envs.action_space


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_time_limit_truncates_exactly_there_and_a_new_episode_starts(env_id):
    envs = make(env_id, 3, max_episode_steps=5)
    _, steps = play(envs, random_actions(env_id, 20, 3), seed=3)
    assert not steps.terminated.any()
    ends, _ = np.nonzero(steps.truncated)
    np.testing.assert_array_equal(ends, np.repeat([4, 9, 14, 19], 3))
    same = (steps.observations == steps.next_observations).all(axis=-1)
    np.testing.assert_array_equal(same, ~steps.truncated)
    # Each environment's episodes begin as they do when asked for by their numbers.
    again = make(env_id, 3)
    begun = steps.observations[steps.truncated].reshape(4, 3, -1)
    for episode, expected in enumerate(begun, start=1):
        np.testing.assert_array_equal(again.reset(3, np.full(3, episode)), expected)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_a_rollout_on_the_device_is_the_one_through_numpy(env_id):
    """Given the numbers that its episodes begin from, a step is that of the environments."""
    envs = make(env_id, 4, max_episode_steps=7)
    actions = random_actions(env_id, 30, 4)
    _, steps = play(envs, actions, seed=5)

    def beginning(index, episode):
        rng = np.random.default_rng((5, index, episode))
        return torch.from_numpy(rng.random(envs.dynamics.state_size, np.float32))

    ended = np.cumsum(steps.terminated | steps.truncated, axis=0)
    state = start(envs.dynamics, torch.stack([beginning(i, 0) for i in range(4)]))
    for t in range(30):
        begun = ended[t - 1] if t else np.zeros(4, np.int64)
        uniform = torch.stack([beginning(i, episode + 1) for i, episode in enumerate(begun)])
        state, transition = step(
            envs.dynamics, state, torch.from_numpy(actions[t]), uniform, envs.max_episode_steps
        )
        for ours, theirs in zip(transition, steps, strict=True):
            np.testing.assert_array_equal(ours, theirs[t])


def test_termination_on_the_last_allowed_step_is_reported_as_both():
    dynamics = ENVIRONMENTS["MountainCar-v0"]
    state = State(torch.tensor([[0.49, 0.05], [0.0, 0.0]]), torch.tensor([9, 9]))
    state, transition = step(dynamics, state, torch.tensor([2, 2]), torch.zeros(2, 2), 10)
    assert transition.terminated.tolist() == [True, False]
    assert transition.truncated.tolist() == [True, True]
    assert state.elapsed.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("env_id", "action", "position", "reward"),
    [
        ("MountainCar-v0", torch.tensor([2]), 0.49, -1.0),
        ("MountainCarContinuous-v0", torch.tensor([[0.5]]), 0.44, 100 - 0.1 * 0.25),
        ("MountainCarContinuous-v0", torch.tensor([[-3.0]]), 0.44, 100 - 0.1 * 9),
    ],
)
def test_a_car_at_the_goal_terminates_with_its_reward(env_id, action, position, reward):
    dynamics = ENVIRONMENTS[env_id]
    state = State(torch.tensor([[position, 0.05]]), torch.tensor([3]))
    state, transition = step(dynamics, state, action, torch.full((1, 2), 0.5), 10)
    assert transition.terminated.tolist() == [True]
    assert transition.truncated.tolist() == [False]
    assert transition.rewards.item() == pytest.approx(reward)
    assert transition.next_observations[0, 0] > position
    torch.testing.assert_close(transition.observations, torch.tensor([[-0.5, 0.0]]))
    torch.testing.assert_close(state.inner, transition.observations)


def test_a_pendulums_cost_is_the_same_after_any_number_of_turns():
    dynamics = ENVIRONMENTS["Pendulum-v1"]
    angles = torch.linspace(-3, 3, 7, dtype=torch.float64)
    turns = 2 * math.pi * torch.arange(-3, 4, dtype=torch.float64)
    θ = angles + turns[:, None]
    states = torch.stack((θ, torch.zeros_like(θ)), -1)
    _, rewards, terminated = dynamics.advance(states, torch.zeros(7, 7, 1))
    torch.testing.assert_close(rewards, -angles.square().expand(7, 7))
    assert not terminated.any()


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_seeds_decide_trajectories(env_id):
    envs = make(env_id, 3, max_episode_steps=6)
    actions = random_actions(env_id, 20, 3)
    start, first = play(envs, actions, seed=11)
    again_start, again = play(envs, actions, seed=11)
    other_start, _ = play(envs, actions, seed=12)
    _, remade = play(make(env_id, 3, max_episode_steps=6), actions, seed=11)
    for field, repeated, elsewhere in zip(first, again, remade, strict=True):
        np.testing.assert_array_equal(field, repeated)
        np.testing.assert_array_equal(field, elsewhere)
    np.testing.assert_array_equal(start, again_start)
    assert not np.array_equal(start, other_start)
    assert not np.array_equal(start[0], start[1])


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_shapes_and_dtypes_on_the_meta_device_too(env_id):
    dynamics = ENVIRONMENTS[env_id]
    for device in ("cpu", "meta"):
        state, actions, uniform = some_state(env_id, 6)
        state = State(*(tensor.to(device) for tensor in state))
        state, transition = step(dynamics, state, actions.to(device), uniform.to(device), 10)
        observations = ((6, dynamics.observation_size), torch.float32)
        flags = ((6,), torch.bool)
        expected = (observations, ((6,), torch.float32), flags, flags, observations)
        assert tuple((tuple(x.shape), x.dtype) for x in transition) == expected
        assert state.inner.shape == (6, dynamics.state_size)
        assert (state.inner.dtype, state.elapsed.dtype) == (torch.float32, torch.int64)
        assert {x.device.type for x in (*state, *transition)} == {device}


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_a_step_can_be_traced_and_holds_nothing_that_a_cuda_graph_cannot(env_id):
    dynamics = ENVIRONMENTS[env_id]

    def take(state, actions, uniform):
        return step(dynamics, state, actions, uniform, 10)

    # Traced where no episode ends, so that a branch on the data would be missed below.
    state, actions, uniform = some_state(env_id, 6)
    traced = make_fx(take)(State(state.inner, torch.zeros_like(state.elapsed)), actions, uniform)
    # No constant copied from the host, no value read back by it and no write to an argument.
    assert all(node.op in ("placeholder", "call_function", "output") for node in traced.graph.nodes)
    calls = [node.target for node in traced.graph.nodes if isinstance(node.target, OpOverload)]
    assert calls
    for target in calls:
        assert not target._schema.is_mutable
        assert target.overloadpacket is not torch.ops.aten._local_scalar_dense
    torch.testing.assert_close(
        traced(state, actions, uniform), take(state, actions, uniform), rtol=0, atol=0
    )


def test_writing_to_returned_arrays_does_not_touch_the_environments():
    envs, untouched = make("CartPole-v1", 2), make("CartPole-v1", 2)
    envs.reset(0)[:] = 7
    untouched.reset(0)
    for _ in range(3):
        ours, theirs = (each.step(np.ones(2, np.int64)) for each in (envs, untouched))
        np.testing.assert_array_equal(ours.observations, theirs.observations)
        assert ours.next_observations is ours.observations
        ours.observations[:] = 7


def test_unknown_environments_and_unfit_actions_are_refused():
    with pytest.raises(ValueError, match=r"Nonsense-v0; there are CartPole-v0, .*Acrobot-v1"):
        make("Nonsense-v0", 1)
    envs = make("CartPole-v1", 2)
    with pytest.raises(EnvironmentFailure, match="before their first reset"):
        envs.step(np.zeros(2, np.int64))
    envs.reset(0)
    with pytest.raises(EnvironmentFailure, match=r"shape \(2,\), not \(2, 1\)"):
        envs.step(np.zeros((2, 1), np.int64))
    with pytest.raises(EnvironmentFailure, match=r"in \[0, 2\)"):
        envs.step(np.array([0, 2]))
    envs.close()
    with pytest.raises(EnvironmentFailure, match="before their first reset"):
        envs.step(np.zeros(2, np.int64))
