"""The dynamics of Gymnasium's classic-control environments, as pure functions of tensors.

Every function follows the device and the floating dtype of the state that it gets, the meta device
included. There is no random draw, no branch on data and no tensor made from host memory in them.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

GRAVITY = 9.8


@dataclass(frozen=True)
class Dynamics(ABC):
    """One environment, with states of S and observations of O numbers, for any batch shape."""

    max_episode_steps: int
    """The time limit that gymnasium registers."""
    state_size: ClassVar[int]
    bounds: ClassVar[tuple[tuple[float, ...], tuple[float, ...]]]
    """The lowest and the highest observation."""
    actions: ClassVar[int | float]
    """How many discrete actions there are, or the largest magnitude of a one-dimensional Box."""

    @property
    def observation_size(self) -> int:
        return len(self.bounds[0])

    @property
    def observation_space(self) -> Box:
        """A new Box of shape (O,), equal to gymnasium's."""
        low, high = np.array(self.bounds, np.float32)
        return Box(low, high, dtype=np.float32)

    @property
    def action_space(self) -> Discrete | Box:
        """A new Discrete or Box of shape (1,), equal to gymnasium's."""
        if isinstance(self.actions, int):
            return Discrete(self.actions)
        return Box(-self.actions, self.actions, (1,), np.float32)

    @abstractmethod
    def start(self, uniform: Tensor) -> Tensor:
        """Initial states [..., S], distributed as gymnasium's, from [..., S] uniform in [0, 1)."""

    def observe(self, state: Tensor) -> Tensor:
        """Observations [..., O] of states [..., S]; may be the same tensor."""
        return state

    @abstractmethod
    def advance(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Successors [..., S], rewards [...] and bool terminations [...] of states [..., S].

        Args:
            actions: [...] int64 for Discrete, [..., A] floating for a Box. The force of an action
                outside the Box is that of the nearest one inside.
        """


def _wrap(θ: Tensor) -> Tensor:
    """Angles in [-π, π)."""
    return torch.remainder(θ + math.pi, 2 * math.pi) - math.pi


def _along(y: tuple[Tensor, ...], slopes: tuple[Tensor, ...], h: float) -> tuple[Tensor, ...]:
    """The components of y + h · slopes, kept apart: Inductor fuses them better than stacks."""
    return tuple(a + h * b for a, b in zip(y, slopes, strict=True))


def _symmetric(*high: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(-bound for bound in high), high


class CartPole(Dynamics):
    """A pole to be balanced on a cart that is pushed left or right.

    State and observation: cart position (m) and velocity (m/s), pole angle from upright (rad) and
    angular velocity (rad/s). Source: Barto, Sutton and Anderson (1983), Neuronlike adaptive
    elements that can solve difficult learning control problems, without its friction; rewarded
    with 1 a step.
    """

    state_size = 4
    # Twice the limits, so that a final observation is inside as well.
    bounds = _symmetric(2 * 2.4, math.inf, 2 * math.radians(12), math.inf)
    actions = 2

    def start(self, uniform: Tensor) -> Tensor:
        return 0.1 * uniform - 0.05

    def advance(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pole, total, half_length, seconds = 0.1, 1.1, 0.5, 0.02
        x, v, θ, ω = state.unbind(-1)
        force = 20.0 * actions.to(state.dtype) - 10.0
        sin, cos = torch.sin(θ), torch.cos(θ)
        push = (force + pole * half_length * ω.square() * sin) / total
        α = (GRAVITY * sin - cos * push) / (half_length * (4 / 3 - pole / total * cos.square()))
        a = push - pole * half_length / total * α * cos
        x, θ = x + seconds * v, θ + seconds * ω
        successor = torch.stack((x, v + seconds * a, θ, ω + seconds * α), -1)
        terminated = (x.abs() > 2.4) | (θ.abs() > math.radians(12))
        return successor, torch.ones_like(x), terminated


class Acrobot(Dynamics):
    """Two links hanging from a pivot, to be swung up by a torque of -1, 0 or 1 N m between them.

    State: the first link's angle from hanging and the second's from the first (rad, in [-π, π)),
    then their angular velocities (rad/s); observation: cosine and sine of each angle, then the
    velocities. Source: Sutton (1996), Generalization in reinforcement learning: successful
    examples using sparse coarse coding, with the equations of Sutton and Barto (1998), section
    11.3: links of 1 kg, 1 m and 1 kg m², centres of mass halfway along them. Each step is one
    fourth-order Runge-Kutta step of 0.2 s; rewarded with -1 until the tip is more than 1 m above
    the pivot.
    """

    state_size = 4
    bounds = _symmetric(1.0, 1.0, 1.0, 1.0, 4 * math.pi, 9 * math.pi)
    actions = 3

    def start(self, uniform: Tensor) -> Tensor:
        return 0.2 * uniform - 0.1

    def observe(self, state: Tensor) -> Tensor:
        θ1, θ2, ω1, ω2 = state.unbind(-1)
        return torch.stack((θ1.cos(), θ1.sin(), θ2.cos(), θ2.sin(), ω1, ω2), -1)

    def advance(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seconds = 0.2
        torque = actions.to(state.dtype) - 1.0
        y = state.unbind(-1)
        k1 = self._derivative(y, torque)
        k2 = self._derivative(_along(y, k1, seconds / 2), torque)
        k3 = self._derivative(_along(y, k2, seconds / 2), torque)
        k4 = self._derivative(_along(y, k3, seconds), torque)
        slopes = tuple(a + 2.0 * (b + c) + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True))
        θ1, θ2, ω1, ω2 = _along(y, slopes, seconds / 6)
        θ1, θ2 = _wrap(θ1), _wrap(θ2)
        ω1, ω2 = ω1.clamp(-4 * math.pi, 4 * math.pi), ω2.clamp(-9 * math.pi, 9 * math.pi)
        terminated = -θ1.cos() - (θ1 + θ2).cos() > 1.0
        return torch.stack((θ1, θ2, ω1, ω2), -1), terminated.to(state.dtype) - 1.0, terminated

    def _derivative(self, y: tuple[Tensor, ...], torque: Tensor) -> tuple[Tensor, ...]:
        """The time derivative of each component of y; d and φ are the names of the source."""
        θ1, θ2, ω1, ω2 = y
        sin2, cos2 = θ2.sin(), θ2.cos()
        d1, d2 = 3.5 + cos2, 1.25 + 0.5 * cos2
        φ2 = 0.5 * GRAVITY * (θ1 + θ2).sin()
        φ1 = 1.5 * GRAVITY * θ1.sin() + φ2 - (0.5 * ω2 + ω1) * ω2 * sin2
        α2 = (torque + d2 / d1 * φ1 - 0.5 * ω1.square() * sin2 - φ2) / (1.25 - d2.square() / d1)
        α1 = -(d2 * α2 + φ1) / d1
        return ω1, ω2, α1, α2


class Pendulum(Dynamics):
    """A rod of 1 kg and 1 m to be swung up and held by a torque of at most 2 N m.

    State: angle from upright (rad, not wrapped) and angular velocity (rad/s); observation: cosine
    and sine of the angle, then the velocity. Source: Pendulum of Brockman et al. (2016), OpenAI
    Gym, with a gravity of 10 m/s², by semi-implicit Euler steps of 0.05 s. The reward is minus the
    cost of the state left and the torque applied; nothing terminates an episode.
    """

    state_size = 2
    bounds = _symmetric(1.0, 1.0, 8.0)
    actions = 2.0

    def start(self, uniform: Tensor) -> Tensor:
        θ, ω = (2.0 * uniform - 1.0).unbind(-1)
        return torch.stack((math.pi * θ, ω), -1)

    def observe(self, state: Tensor) -> Tensor:
        θ, ω = state.unbind(-1)
        return torch.stack((θ.cos(), θ.sin(), ω), -1)

    def advance(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seconds = 0.05
        θ, ω = state.unbind(-1)
        torque = actions[..., 0].clamp(-2.0, 2.0)
        cost = _wrap(θ).square() + 0.1 * ω.square() + 0.001 * torque.square()
        ω = (ω + seconds * (15.0 * θ.sin() + 3.0 * torque)).clamp(-8.0, 8.0)
        return torch.stack((θ + seconds * ω, ω), -1), -cost, torch.zeros_like(θ, dtype=torch.bool)


class _MountainCar(Dynamics):
    """The dynamics that both mountain cars share. Position and velocity are without units."""

    state_size = 2
    bounds = ((-1.2, -0.07), (0.6, 0.07))

    def start(self, uniform: Tensor) -> Tensor:
        x = 0.2 * uniform[..., 0] - 0.6
        return torch.stack((x, torch.zeros_like(x)), -1)

    def _drive(self, state: Tensor, thrust: Tensor, goal: float) -> tuple[Tensor, Tensor]:
        """Successors [..., 2] under thrusts [...], and whether each is past the position `goal`."""
        x, v = state.unbind(-1)
        v = (v + thrust - 0.0025 * (3.0 * x).cos()).clamp(-0.07, 0.07)
        x = x + v
        # The wall on the left takes the car's speed.
        v = torch.where(x <= -1.2, v.clamp(min=0.0), v)
        x = x.clamp(-1.2, 0.6)
        return torch.stack((x, v), -1), (x >= goal) & (v >= 0.0)


class MountainCar(_MountainCar):
    """A car too weak for the hill that it has to climb, driven left, not at all or right.

    State and observation: position and velocity. Source: Moore (1990), Efficient memory-based
    learning for robot control, in the form of Sutton (1996); rewarded with -1 a step, the last
    one included.
    """

    actions = 3

    def advance(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        thrust = 0.001 * (actions.to(state.dtype) - 1.0)
        successor, terminated = self._drive(state, thrust, goal=0.5)
        return successor, -torch.ones_like(thrust), terminated


class MountainCarContinuous(_MountainCar):
    """The car of `MountainCar` driven by a force in [-1, 1], half as strong again.

    State and observation: position and velocity. Source: Moore (1990), with the continuous force
    and the rewards of Brockman et al. (2016), OpenAI Gym: 100 at the goal, minus a tenth of the
    action squared, which is counted as it was given, not as it was clipped.
    """

    actions = 1.0

    def advance(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        force = actions[..., 0]
        successor, terminated = self._drive(state, 0.0015 * force.clamp(-1.0, 1.0), goal=0.45)
        return successor, 100.0 * terminated.to(state.dtype) - 0.1 * force.square(), terminated


ENVIRONMENTS: dict[str, Dynamics] = {
    "CartPole-v0": CartPole(200),
    "CartPole-v1": CartPole(500),
    "Acrobot-v1": Acrobot(500),
    "Pendulum-v1": Pendulum(200),
    "MountainCar-v0": MountainCar(200),
    "MountainCarContinuous-v0": MountainCarContinuous(999),
}
