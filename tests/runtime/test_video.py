"""Videos hold every frame of the episodes, or there is no file."""

import os
import sys
from ctypes.util import find_library
from typing import ClassVar

import gymnasium
import imageio.v2 as imageio
import numpy as np
import pytest

from ppoc.runtime.evaluate import RecurrentPolicy
from ppoc.runtime.launch import execute, film_run
from ppoc.runtime.video import VideoError, record


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


def test_frame_rate_can_be_chosen(tmp_path):
    path = tmp_path / "slow.mp4"
    record("CartPole-v1", push_right, path, seed=0, max_episode_steps=3, fps=10)
    with imageio.get_reader(path) as reader:
        assert reader.get_meta_data()["fps"] == 10


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

    monkeypatch.setattr(module, "load_policy", lambda checkpoint, rng: watch)
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
