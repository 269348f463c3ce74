"""A policy at work, as an mp4."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppoc.formats.files import create_file
from ppoc.runtime.envs.answers import check_answer, flag_of, in_words, opened, shortened
from ppoc.runtime.envs.located import not_finite
from ppoc.runtime.envs.observations import AnswerError, check_observation
from ppoc.runtime.envs.single import is_mujoco, make_one
from ppoc.runtime.envs.spaces import compare_spaces, observed
from ppoc.runtime.envs.vector import STOPS, EnvironmentFailure, Layers, Outlines, kept_as
from ppoc.runtime.evaluation.camera import follow
from ppoc.runtime.evaluation.evaluate import Policy, restart

DEFAULT_FPS = 30
TOLD_EVERY = 5.0  # seconds
FILM_STEPS = 10_000  # of an episode that goes on and on: five minutes, at that speed


class VideoError(EnvironmentFailure):
    """No video could be made; the text says what is missing."""


def record(
    env_id: str,
    policy: Policy,
    path: Path,
    *,
    episodes: int = 1,
    seed: int,
    max_episode_steps: int | None = None,
    options: Mapping[str, Any] | None = None,
    wrappers: Layers = (),
    package: str | None = None,
    fps: float | None = None,
    message: Callable[[str], None] | None = None,
    max_steps: int = FILM_STEPS,
    spaces: Outlines | None = None,
) -> Path:
    """Play whole episodes one after another, film them into `path` (.mp4), and return it.

    The file appears under its name only when it is complete.

    Args:
        policy: observations [1, O] to actions [1] or [1, A], within the environment's bounds.
        seed: of the first episode; the others follow from it.
        max_episode_steps, options, wrappers, package: as `envs.make` takes them.
        fps: frames per second; the environment's own speed when not given.
        message: told what is filmed, every few seconds how far it is, and what was cut.
        max_steps: steps after which an episode is cut.
        spaces: outlines of the observations and of the actions that there must be.

    Raises:
        VideoError: the environment cannot be rendered here, or the video cannot be written.
        EnvironmentFailure: it raised, or its spaces are not those expected.
    """
    limit = {} if max_episode_steps is None else {"max_episode_steps": max_episode_steps}
    arguments = {**(options or {}), **limit, "render_mode": "rgb_array"}
    with _rendering(env_id):
        env = make_one(env_id, arguments, wrappers, package)
        follow(env, options or {})
    cuts: list[int] = []
    try:
        if spaces is not None:
            compare_spaces(env_id, spaces, observed(env), env.action_space)
        frames = _play(env_id, env, policy, episodes, seed, max_steps, cuts)
        if message is not None:
            frames = _told(frames, episodes, env, path, message)
        # Rendering starts with the first frame: this shows whether it works.
        with _rendering(env_id):
            first = next(frames)
        _write(path, first, frames, fps or float(env.metadata.get("render_fps") or DEFAULT_FPS))
    finally:
        env.close()
    if cuts and message is not None:
        steps = f"{max_steps:,}"
        message(f"an episode had not ended after {steps} steps and was cut; --max-steps films more")
    return path


def _play(
    env_id: str,
    env: Any,
    policy: Policy,
    episodes: int,
    seed: int,
    max_steps: int,
    cuts: list[int],
) -> Iterator[NDArray[np.uint8]]:
    """The frames of some episodes; those that were cut are added to `cuts`."""
    dtype, actions = kept_as(env.observation_space), env.action_space
    start = getattr(actions, "start", 0)  # policies count choices from 0
    for episode in range(episodes):
        begun = f"of episode {episode + 1}, the first of which began with seed {seed}"
        with _located(env_id, "reset", f"at the start {begun}"):
            observation = opened(env.reset(seed=seed if episode == 0 else None))
            batch = _batch(observation, env, dtype)
        yield _frame(env_id, env)
        ended, steps = False, 0
        while not ended:
            action = np.asarray(policy(batch)[0] + start, actions.dtype).reshape(actions.shape)
            steps += 1
            place = f"at step {steps} {begun}; action: {shortened(action)}"
            with _located(env_id, "step", place):
                # An array without axes is no key of a dictionary; its number is.
                answer = env.step(action[()])
                check_answer(answer)
                batch = _batch(answer[0], env, dtype)
            ended = flag_of("terminated", answer[2]) or flag_of("truncated", answer[3])
            if steps >= max_steps and not ended:
                cuts.append(episode)
                ended = True
            restart(policy, np.array([ended]))
            yield _frame(env_id, env)


def _told(
    frames: Iterator[NDArray[np.uint8]],
    episodes: int,
    env: Any,
    path: Path,
    message: Callable[[str], None],
) -> Iterator[NDArray[np.uint8]]:
    """The frames, which take long to draw; says how many there are by now."""
    limit = getattr(env.spec, "max_episode_steps", None)
    most = f" of up to {episodes * (limit + 1):,}" if limit else ""
    what = "an episode" if episodes == 1 else f"{episodes:,} episodes"
    message(f"filming {what} into {path}: each frame is drawn, which takes longer than its step")
    last = time.monotonic()
    for number, frame in enumerate(frames, 1):
        yield frame
        if time.monotonic() - last >= TOLD_EVERY:
            last = time.monotonic()
            message(f"frame {number:,}{most}")


def _batch(observation: Any, env: Any, dtype: type) -> NDArray[Any]:
    """An observation as the only row of what a policy takes."""
    check_observation(observation, env.observation_space.shape, dtype)
    batch: NDArray[Any] = np.asarray(observation, dtype)[None]
    if (found := not_finite(batch, 0)) is not None:
        raise AnswerError(f"gave an observation of {found}")
    return batch


@contextmanager
def _located(env_id: str, doing: str, place: str) -> Iterator[None]:
    """Say of what the environment fails in where it was."""
    try:
        yield
    except STOPS:
        raise
    except AnswerError as error:
        raise EnvironmentFailure(f"{env_id} {error}; {place}") from error
    except BaseException as error:
        said = f"{env_id} failed to {doing}: {in_words(error)}; {place}"
        raise EnvironmentFailure(said) from error


def _frame(env_id: str, env: Any) -> NDArray[np.uint8]:
    try:
        frame = env.render()
    except STOPS:
        raise
    except BaseException as error:
        raise VideoError(f"{env_id} failed to render: {in_words(error)}") from error
    if not isinstance(frame, np.ndarray) or frame.ndim != 3:
        raise VideoError(f"{env_id} renders no images")
    return frame


def _write(
    path: Path, first: NDArray[np.uint8], rest: Iterator[NDArray[np.uint8]], fps: float
) -> None:
    import imageio.v2 as imageio
    import imageio_ffmpeg

    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise VideoError(f"cannot write {path}: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.part.mp4")
    try:
        create_file(partial).close()  # so that what writes to it follows no link
        # Even numbers of pixels are all that the format yuv420p needs.
        writer: Any = imageio.get_writer(partial, fps=fps, codec="libx264", macro_block_size=2)
        # Not the writer's own `with`, which leaves ffmpeg running after an error.
        with closing(writer):
            writer.append_data(first)
            for frame in rest:
                writer.append_data(frame)
        partial.replace(path)
    except OSError as error:
        raise VideoError(f"cannot write {path}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _rendering(env_id: str) -> Iterator[None]:
    """Let MuJoCo draw off screen where there is no display, and explain what fails."""
    chosen = os.environ.get("MUJOCO_GL")
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not display and sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # else SDL complains of having no display
    try:
        yield
    except Exception as error:
        if isinstance(error, EnvironmentFailure) and not isinstance(error, VideoError):
            raise
        text = f"{env_id} cannot be rendered here: {in_words(error.__cause__ or error)}"
        if is_mujoco(env_id):
            text += (
                "\nto draw without a display, install libegl1 or libosmesa6 and set MUJOCO_GL "
                f"to egl or osmesa; it was {os.environ.get('MUJOCO_GL', 'not set')}"
            )
        raise VideoError(text) from error
    finally:
        if chosen is None:
            os.environ.pop("MUJOCO_GL", None)
