"""Wrappers, against gymnasium's and Stable-Baselines3's; environments of every kind of space."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from stable_baselines3.common import atari_wrappers

from ppoc.runtime.envs.make import make
from ppoc.runtime.envs.wrappers import VELOCITIES, wrap
from ppoc.runtime.run.launch import execute
from toys import ACTIONS, OBSERVATIONS

GAME = "BreakoutNoFrameskip-v4"


def game():
    """An Atari game, where it is installed."""
    pytest.importorskip("ale_py")
    pytest.importorskip("cv2")
    return gymnasium.make(GAME)


def same_paths(ours, theirs, steps, seed=0, view=lambda x: x):
    """Play the same random actions in both, and compare all that they tell; how often it ended."""
    rng = np.random.default_rng(seed)
    first, second = ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0]
    np.testing.assert_array_equal(first, view(second))
    ends = 0
    for _ in range(steps):
        action = int(rng.integers(ours.action_space.n))
        (first, *mine, _), (second, *others, _) = ours.step(action), theirs.step(action)
        np.testing.assert_array_equal(first, view(second))
        assert mine == others
        if mine[1] or mine[2]:
            ends += 1
            np.testing.assert_array_equal(ours.reset()[0], view(theirs.reset()[0]))
    return ends


@pytest.mark.parametrize("observations", ["Vector", "Choice", "Dict", "Bytes"])
def test_flatten_is_gymnasiums(observations):
    name = f"ToyDiscrete{observations}-v0"
    ours = wrap(gymnasium.make(name), [("Flatten", {})])
    theirs = wrappers.FlattenObservation(gymnasium.make(name))
    assert ours.observation_space.shape == theirs.observation_space.shape
    assert ours.observation_space.contains(ours.reset()[0])
    assert same_paths(ours, theirs, 60) > 2


@pytest.mark.parametrize("observations", ["Vector", "Planes"])
def test_stacked_frames_are_gymnasiums(observations):
    name = f"ToyDiscrete{observations}-v0"
    ours = wrap(gymnasium.make(name), [("StackFrames", {"count": 3})])
    theirs = wrappers.FrameStackObservation(gymnasium.make(name), 3)
    shape = ours.observation_space.shape
    assert shape == (3 * OBSERVATIONS[observations].shape[0], *OBSERVATIONS[observations].shape[1:])
    assert same_paths(ours, theirs, 60, view=lambda frames: frames.reshape(shape)) > 2


@pytest.mark.parametrize(
    ("observations", "shape"), [("Bytes", (3, 36, 40)), ("Screen", (1, 36, 40))]
)
def test_channels_come_first(observations, shape):
    env = wrap(gymnasium.make(f"ToyDiscrete{observations}-v0"), [("ChannelsFirst", {})])
    plain = gymnasium.make(f"ToyDiscrete{observations}-v0")
    found, expected = env.reset(seed=3)[0], plain.reset(seed=3)[0]
    assert env.observation_space.shape == found.shape == shape
    assert env.observation_space.contains(np.ascontiguousarray(found))
    for channel in range(shape[0]):
        picture = expected[..., channel] if expected.ndim == 3 else expected
        np.testing.assert_array_equal(found[channel], picture)


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0"])
def test_velocities_are_masked_and_nothing_else(name):
    env, plain = wrap(gymnasium.make(name), [("MaskVelocity", {})]), gymnasium.make(name)
    hidden = np.isin(np.arange(plain.observation_space.shape[0]), VELOCITIES[name])
    env.action_space.seed(0)
    pairs = [(env.reset(seed=0)[0], plain.reset(seed=0)[0])]
    for _ in range(5):
        action = env.action_space.sample()
        pairs.append((env.step(action)[0], plain.step(action)[0]))
    for masked, whole in pairs:
        assert not masked[hidden].any()
        np.testing.assert_array_equal(masked[~hidden], whole[~hidden])
    assert all(whole[hidden].all() for _, whole in pairs[1:])


def test_velocities_that_are_not_known_are_an_error():
    with pytest.raises(ValueError, match="velocities of Acrobot-v1 are not known"):
        wrap(gymnasium.make("Acrobot-v1"), [("MaskVelocity", {})])


def test_frame_skip_adds_up_rewards_as_stable_baselines3_does():
    """Without its maximum over two frames, which is for screens that flicker."""
    ours = wrap(game(), [("FrameSkip", {"skip": 4})])
    theirs = atari_wrappers.MaxAndSkipEnv(game(), skip=4)
    rng = np.random.default_rng(0)
    ours.reset(seed=0)
    theirs.reset(seed=0)
    total = 0.0
    for _ in range(250):
        action = int(rng.integers(4))
        _, *mine, _ = ours.step(action)
        _, *others, _ = theirs.step(action)
        assert mine == others
        total += mine[0]
        if mine[1] or mine[2]:
            ours.reset()
            theirs.reset()
    assert total > 0


def test_lives_end_episodes_as_in_stable_baselines3():
    ours = wrap(game(), [("FrameSkip", {"skip": 4}), ("EpisodicLife", {})])
    inner = wrap(game(), [("FrameSkip", {"skip": 4})])
    assert same_paths(ours, atari_wrappers.EpisodicLifeEnv(inner), 400) > 4


class Lives(gymnasium.Env):
    """A game of two lives, each of two steps; it is over with the last, or cut off after three."""

    observation_space, action_space = spaces.Discrete(99), spaces.Discrete(2)

    def __init__(self, cut):
        self.cut, self.games, self.steps = cut, 0, 0

    def reset(self, *, seed=None, options=None):
        self.games, self.steps = self.games + 1, 0
        return 0, {"lives": 2}

    def step(self, action):
        self.steps += 1
        lives = 2 - self.steps // 2
        return self.steps, 1.0, lives == 0, self.cut and self.steps == 3, {"lives": lives}


@pytest.mark.parametrize("cut", [False, True])
def test_a_game_that_is_over_begins_anew_and_one_that_is_not_goes_on(cut):
    env = wrap(Lives(cut), [("EpisodicLife", {})])
    env.reset()
    assert [env.step(0)[2] for _ in range(2)] == [False, True]
    after, _ = env.reset()
    assert env.unwrapped.games == (2 if cut else 1)  # the first step of the second life is the cut
    assert after == (0 if cut else 3)
    if not cut:
        *_, terminated, truncated, _ = env.step(0)
        assert (terminated, truncated) == (True, False)
        assert env.reset()[0] == 0
        assert env.unwrapped.games == 2


def test_fire_is_pressed_as_in_stable_baselines3():
    """Stable-Baselines3 presses the next button too, and needs it no more than we do."""
    ours = wrap(game(), [("FireReset", {})])
    theirs = atari_wrappers.FireResetEnv(game())
    ours.reset(seed=1)
    np.testing.assert_array_equal(ours.step(2)[0], theirs.reset(seed=1)[0])


def test_envpool_shows_the_games_as_gymnasium_does(compiled_of):
    pytest.importorskip("envpool")
    game().close()
    spec = ("ppo/pong", "env.num_envs=2", "update={rollout_steps: 256, minibatch_size: 256}")
    steps = {}
    for backend in ("gymnasium", "envpool"):
        facts = compiled_of(*spec, f"env.backend={backend}").plan.facts
        envs = make(
            facts.env_id,
            2,
            backend=backend,
            options=facts.options,
            wrappers=facts.wrappers if backend == "gymnasium" else (),
            package=facts.package,
        )
        envs.reset(0)
        for _ in range(30):
            steps[backend] = envs.step(np.zeros(2, np.int64))
        envs.close()
    ours, theirs = (steps[x].observations for x in ("gymnasium", "envpool"))
    assert ours.shape == theirs.shape == (2, 4, 84, 84)
    assert ours.dtype == theirs.dtype == np.uint8
    # The same court; the ball and the paddles may be elsewhere.
    assert np.abs(ours.astype(int) - theirs.astype(int)).mean() < 6
    assert np.corrcoef(ours[0, 0].ravel(), theirs[0, 0].ravel())[0, 1] > 0.9


SHORT = (
    "env.backend=gymnasium",
    "training.total_steps=256",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 1}",
    "evaluation.episodes=2",
)


@pytest.mark.parametrize("actions", ACTIONS)
@pytest.mark.parametrize("observations", ["Vector", "Choice", "Dict"])
def test_every_kind_of_space_reaches_the_environment_as_it_should(
    module_of, tmp_path, actions, observations
):
    """The environment itself raises on an action outside its space."""
    module = module_of("ppo/cartpole", f"env.id=Toy{actions}{observations}-v0", *SHORT)
    taken = []

    class Watched(gymnasium.Wrapper):
        def step(self, action):
            taken.append(np.array(action))
            return super().step(action)

    envs = module.make_envs(2)
    envs._envs = [Watched(env) for env in envs._envs]
    observation = envs.reset(0)
    assert observation.shape == (2, spaces.flatdim(OBSERVATIONS[observations]))
    w = module.runtime.as_arrays(module.initial_parameters(0), module.SHAPES)
    module.collect(envs, w, observation, module.draw_noise(np.random.default_rng(0), 40, 2))
    dtype = ACTIONS[actions].dtype
    assert len(taken) == 80
    assert all(ACTIONS[actions].contains(action.astype(dtype)) for action in taken)
    assert len({action.tobytes() for action in taken}) > 2
    assert execute(module, tmp_path, mode="quiet").steps == 256


ROW = [1, 0, 1, 1, 0]  # of a MultiDiscrete space of 2 and 3
MASKS = {
    "list": ROW,
    "tuple": tuple(ROW),
    "array": np.array(ROW, bool),
    "list of arrays": [np.array(ROW[:2]), np.array(ROW[2:])],
    "tuple of lists": (ROW[:2], ROW[2:]),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_is_one_row_or_one_for_each_component(kind):
    env = gymnasium.make("MethodMaskedMultiDiscrete-v0")
    env.unwrapped.action_masks = lambda: MASKS[kind]
    masked = wrap(env, [("AppendActionMask", {"size": 5})])
    observation, _ = masked.reset(seed=0)
    assert observation[3:].tolist() == ROW
    assert masked.observation_space.contains(observation)


@pytest.mark.parametrize("ended", [(True, False), (False, True), (False, False)])
def test_only_where_an_episode_ends_nothing_need_be_allowed(ended):
    env = gymnasium.make("MethodMaskedMultiDiscrete-v0").unwrapped
    env.step = lambda action: (np.zeros(3, np.float32), 0.0, *ended, {})
    masked = wrap(env, [("AppendActionMask", {"size": 5})])
    masked.reset(seed=0)
    env.action_masks = lambda: [np.zeros(2), np.zeros(3)]
    if any(ended):
        assert masked.step(np.zeros(2, int))[0][3:].tolist() == [0] * 5
    else:
        with pytest.raises(ValueError, match="mask"):
            masked.step(np.zeros(2, int))
