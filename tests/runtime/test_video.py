"""Videos hold every frame of the episodes, or there is no file."""

import os
import sys
from ctypes.util import find_library
from dataclasses import replace
from typing import ClassVar

import gymnasium
import imageio.v2 as imageio
import numpy as np
import pytest

from ppoc.runtime.evaluation import video
from ppoc.runtime.evaluation.camera import follow
from ppoc.runtime.evaluation.evaluate import RecurrentPolicy
from ppoc.runtime.evaluation.video import VideoError, record
from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.trained import film_run


def push_right(observations: np.ndarray) -> np.ndarray:
    return np.ones(len(observations), np.int64)


def test_records_whole_episodes(tmp_path, monkeypatch):
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    path = tmp_path / "videos" / "cartpole.mp4"
    returned = record("CartPole-v1", push_right, path, episodes=2, seed=0, max_episode_steps=6)
    assert returned == path
    with imageio.get_reader(path) as reader:
        frames = list(reader.iter_data())
        assert reader.get_meta_data()["fps"] == 50
    assert len(frames) == 2 * (1 + 6)
    assert frames[0].shape == (400, 600, 3)
    assert [entry.name for entry in path.parent.iterdir()] == ["cartpole.mp4"]


def test_a_film_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "TOLD_EVERY", 0.0)
    said, path = [], tmp_path / "video.mp4"
    record("CartPole-v1", push_right, path, seed=0, max_episode_steps=6, message=said.append)
    assert said[0].startswith(f"filming an episode into {path}")
    assert said[1:] == [f"frame {number} of up to 7" for number in range(1, 8)]


def test_frame_rate_can_be_chosen(tmp_path):
    path = tmp_path / "slow.mp4"
    record("CartPole-v1", push_right, path, seed=0, max_episode_steps=3, fps=10)
    with imageio.get_reader(path) as reader:
        assert reader.get_meta_data()["fps"] == 10


def test_an_episode_that_does_not_end_is_cut(tmp_path):
    path = tmp_path / "endless.mp4"
    said = []

    def up(observations: np.ndarray) -> np.ndarray:
        return np.zeros(1, np.int64)

    record("CliffWalking-v1", up, path, seed=0, max_steps=5, message=said.append)
    assert said[-1].startswith("an episode had not ended after 5 steps and was cut")
    with imageio.get_reader(path) as reader:
        assert len(list(reader.iter_data())) == 1 + 5


def test_episodes_differ(tmp_path):
    seen = []

    def watch(observations: np.ndarray) -> np.ndarray:
        seen.append(observations[0])
        return push_right(observations)

    path = tmp_path / "video.mp4"
    record("CartPole-v1", watch, path, episodes=2, seed=0, max_episode_steps=2)
    assert len(seen) == 4
    assert not np.array_equal(seen[0], seen[2])


def test_the_environment_is_wrapped_and_its_choices_count_from_0(tmp_path):
    seen = []

    def watch(observations: np.ndarray) -> np.ndarray:
        seen.append(observations)
        return np.zeros(len(observations), np.int64)

    path = tmp_path / "video.mp4"
    record("CartPole-v1", watch, path, seed=0, wrappers=[("MaskVelocity", {})])
    assert len(seen) > 3
    assert all((x[0, [1, 3]] == 0).all() and (x[0, [0, 2]] != 0).all() for x in seen)
    gymnasium.register("FromOne-v0", FromOne)
    record("FromOne-v0", watch, path, seed=0, max_episode_steps=3)
    assert FromOne.taken == [1, 1, 1]
    assert seen[-1].dtype == np.uint8


class FromOne(gymnasium.Env):
    """Choices 1 and 2, and images to look at."""

    metadata: ClassVar = {"render_modes": ["rgb_array"]}
    action_space = gymnasium.spaces.Discrete(2, start=1)
    observation_space = gymnasium.spaces.Box(0, 255, (3, 8, 8), np.uint8)
    taken: ClassVar[list[int]] = []

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, seed=None, options=None):
        return self.observation_space.low, {}

    def step(self, action):
        self.taken.append(int(action))
        return self.observation_space.low, 0.0, False, False, {}

    def render(self):
        return np.zeros((8, 8, 3), np.uint8)


def test_a_run_is_filmed_in_the_environment_it_is_evaluated_in(module_of, tmp_path, monkeypatch):
    module = module_of(
        "ppo/cartpole-no-velocity", "training.total_steps=256", "update.rollout_steps=256"
    )
    execute(module, tmp_path, mode="quiet")
    seen = []

    def watch(observations: np.ndarray) -> np.ndarray:
        seen.append(observations)
        return push_right(observations)

    policy = replace(module.INTERFACE.policy, load=lambda checkpoint, rng: watch)
    monkeypatch.setattr(module, "INTERFACE", replace(module.INTERFACE, policy=policy))
    film_run(module, tmp_path, tmp_path / "video.mp4")
    assert len(seen) > 3
    assert all((x[0, [1, 3]] == 0).all() for x in seen)


def test_a_memory_is_lost_where_an_episode_ends(tmp_path):
    began = []

    def remember(observations, starts, state):
        began.append(bool(starts[0]))
        return push_right(observations), state

    path = tmp_path / "video.mp4"
    record("CartPole-v1", RecurrentPolicy(remember), path, episodes=2, seed=0, max_episode_steps=3)
    assert began == [True, False, False] * 2


def test_a_policy_that_fails_leaves_no_file(tmp_path):
    def fail(observations: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record("CartPole-v1", fail, tmp_path / "video.mp4", seed=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:compiler attribute:RuntimeWarning")
@pytest.mark.skipif(not find_library("EGL") or sys.platform != "linux", reason="needs libEGL")
def test_mujoco_is_filmed_without_a_display(tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "cheetah.mp4"
    record("HalfCheetah-v5", lambda x: np.zeros((1, 6)), path, seed=0, max_episode_steps=2)
    with imageio.get_reader(path) as reader:
        assert len(list(reader.iter_data())) == 3
    assert "MUJOCO_GL" not in os.environ


@pytest.mark.filterwarnings("ignore")
def test_mujoco_without_a_renderer_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    with pytest.raises(VideoError, match=r"set MUJOCO_GL to egl or osmesa; it was nonsense"):
        record("HalfCheetah-v5", push_right, tmp_path / "video.mp4", seed=0)


def test_unknown_environment(tmp_path):
    with pytest.raises(VideoError, match="Nonsense-v0 cannot be rendered here"):
        record("Nonsense-v0", push_right, tmp_path / "video.mp4", seed=0)


MOVES = ("Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "Swimmer", "Walker2d")
STAYS = ("InvertedDoublePendulum", "InvertedPendulum", "Pusher", "Reacher")


@pytest.mark.parametrize("name", [*MOVES, *STAYS])
def test_the_camera_follows_what_moves(name):
    env = gymnasium.make(f"{name}-v5", render_mode="rgb_array")
    usual = env.unwrapped.mujoco_renderer.default_cam_config
    found = follow(env, {})
    assert (found is not None) is (name in MOVES)
    if name not in MOVES:
        assert env.unwrapped.mujoco_renderer.default_cam_config == usual
    assert follow(env, {"camera_name": "track"}) is None
    env.close()


def test_other_simulators_have_no_camera_to_move():
    env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    assert follow(env, {}) is None
    env.close()


@pytest.mark.skipif(not find_library("EGL"), reason="nothing to draw with")
@pytest.mark.parametrize("name", ["HalfCheetah", "Ant", "Hopper"])
def test_a_body_that_is_far_away_is_in_the_middle_of_the_picture(name, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    env = gymnasium.make(f"{name}-v5", render_mode="rgb_array", width=96, height=96)
    follow(env, {})
    env.reset(seed=0)
    inner, seen = env.unwrapped, []
    for x in (0.0, 30.0):
        position, velocity = inner.data.qpos.copy(), inner.data.qvel.copy()
        position[0] = x
        inner.set_state(position, velocity)
        frame = env.render().astype(int)
        drawn = frame[..., 0] > frame[..., 2] + 30  # bodies are brown, the floor is not
        seen.append((drawn.mean(), np.nonzero(drawn)[1].mean() / 96))
    env.close()
    (near, before), (far, after) = seen
    assert near > 0.01
    assert far == pytest.approx(near, rel=0.2)
    assert 0.3 < after < 0.7
    assert abs(before - after) < 0.1
