"""Vector environments: many copies of one environment, stepped together, whatever runs them.

All backends reset an ended episode within the step that ended it (gymnasium calls this
`AutoresetMode.SAME_STEP`). So every row of every step is a real transition: a rollout holds no
dummy steps, and nothing has to be masked later.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gymnasium import Space

Layers = Iterable[tuple[str, Mapping[str, Any]]]
# The outlines of observations and of actions; see ppoc.runtime.envs.spaces.
Outlines = tuple[tuple[Any, ...], tuple[Any, ...]]
Backend = Literal["gymnasium", "envpool", "torch"]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Episodes = NDArray[np.int64]


class EnvironmentFailure(RuntimeError):  # noqa: N818 - EnvironmentError is a builtin
    """An environment could not be made, reset or stepped; the original error is chained."""


class Interrupted(BaseException):
    """A signal ends the run at once. No Exception, so that nothing on the way takes it for one."""


STOPS = (KeyboardInterrupt, Interrupted)  # what is raised within an environment, and not by it


class Step(NamedTuple):
    """One transition of each of N environments, with observations of O numbers.

    Images are uint8 [N, C, H, W] in place of float32 [N, O] throughout.

    `terminated` and `truncated` may both be set (gymnasium) when an episode terminates on the last
    step that its time limit allows: termination then counts, so bootstrap where not terminated.
    """

    observations: Floats
    """[N, O] float32, where the next action is taken: after an ended episode, the first
    observation of the next one."""
    rewards: Floats
    """[N] float32."""
    terminated: Flags
    """[N] bool, the task itself ended the episode: nothing follows, so nothing is bootstrapped."""
    truncated: Flags
    """[N] bool, a time limit cut the episode short: bootstrap from `next_observations`."""
    next_observations: Floats
    """[N, O] float32, the true successor of each transition: after an ended episode, its final
    observation. The same array object as `observations` where no episode ended."""


class Running(NamedTuple):
    """The episodes that N environments are in."""

    seed: int
    """Of the last reset."""
    episodes: Episodes
    """[N], how many episodes each environment has begun since then, the running one excluded."""
    lengths: NDArray[np.int64]
    """[N], steps since each running episode began."""


class VectorEnv(Protocol):
    """N copies of one environment with flat observations; ended episodes reset in the same step."""

    num_envs: int

    @property
    def observation_space(self) -> "Space[Any]":
        """The space of one environment's observations: a Box, (O,), or (C, H, W) for images."""

    @property
    def announced(self) -> "Space[Any]":
        """The observation space of a single environment before observations are laid out."""

    @property
    def action_space(self) -> "Space[Any]":
        """The space of one environment's actions: Discrete, MultiDiscrete, MultiBinary or a Box."""

    @property
    def running(self) -> Running:
        """The running episodes: `reset` to them and their actions again lead to where they are.

        A backend that cannot seed one environment counts all since the last reset as one episode.
        """

    def reset(self, seed: int, episodes: Episodes | None = None) -> Floats:
        """Start new episodes and return their observations [N, O] float32.

        Equal seeds and actions give equal trajectories.

        Args:
            episodes: which of each environment, [N], of those that follow from the seed; the first
                when not given.
        """

    def restart(self, where: Flags, observations: Floats) -> Floats:
        """Start the next episodes where [N] says so, before the last ones ended.

        Args:
            observations: the last ones [N, O]; returned are they with those of the new episodes.
        """

    def step(self, actions: NDArray[Any], where: Flags | None = None) -> Step:
        """Take actions [N] (Discrete) or [N, A], passed on as they are, without clipping.

        Choices count from 0, whatever the space's own `start`.

        Args:
            where: the environments [N] that take theirs; others stay where they are, with no
                reward. All when not given.

        Raises:
            EnvironmentFailure: an environment raised.
        """

    def close(self) -> None:
        """Release what the environments hold."""


def kept_as(observations: "Space[Any]") -> type:
    """The dtype that observations are kept in: bytes for images, a quarter of the memory."""
    return np.uint8 if observations.dtype == np.uint8 and _is_image(observations) else np.float32


def _is_image(observations: "Space[Any]") -> bool:
    return len(observations.shape or ()) == 3
