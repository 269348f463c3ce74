"""A trained policy as one torch.nn.Module, from what its environment gives to what it takes.

The generated module's own torch functions are wrapped: before them observations are laid out and
normalised as ppoc does, after them come the bounds. What comes out is compared with the NumPy
policy that `ppoc eval` uses.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppoc.exporting.interface import Given, given, inputs
from ppoc.exporting.observations import ROWS, as_wrapped, draw, lay_out
from ppoc.runtime import interface
from ppoc.runtime.declared import agent_of
from ppoc.runtime.run.layout import check_policy
from ppoc.runtime.run.saving import Checkpoint, load_newest

TOLERANCE = 1e-4  # of actions, relative to their size


class ExportError(Exception):
    """A policy that cannot be exported; the text says why."""


class Example(NamedTuple):
    """Inputs of a policy, as its interface lists them; a memory's are the last two."""

    names: tuple[str, ...]
    inputs: tuple[Tensor, ...]


class Policy(nn.Module):
    """Deterministic actions of a generated module's policy under the parameters of a checkpoint."""

    observation_mean: Tensor
    observation_inverse_std: Tensor
    action_low: Tensor
    action_high: Tensor
    action_center: Tensor
    action_scale: Tensor

    def __init__(
        self, declared: interface.Policy, checkpoint: Checkpoint, environment: Given
    ) -> None:
        """Keep only those parameters that acting reads.

        Args:
            declared: the policy that the module declares, which has an actor.
            environment: what it gives and takes.
        """
        super().__init__()
        assert declared.actor is not None
        self._actor, self._body = declared.actor, declared.body
        self._kind, self._choices = declared.distribution, declared.choices
        self.environment, self.recurrent = environment, bool(declared.memory)
        self._names: dict[str, str] = {}
        for name, tensor in checkpoint["parameters"].items():
            self._names[name] = name.replace(".", "_")
            self.register_buffer(self._names[name], tensor.clone())
        self._normalizes = declared.new_normalizer is not None
        if declared.new_normalizer is not None:
            normalize = declared.new_normalizer()
            normalize.load(checkpoint["observations"])
            mean, inverse = (torch.as_tensor(x) for x in normalize.constants())
            self.register_buffer("observation_mean", mean)
            self.register_buffer("observation_inverse_std", inverse)
            self._clip = float(normalize.clip)
        self._scaled = declared.center is not None
        self._bounded = declared.low is not None
        bounds = {
            "action_low": declared.low,
            "action_high": declared.high,
            "action_center": declared.center,
            "action_scale": declared.scale,
        }
        for name, bound in bounds.items():
            if bound is not None:
                self.register_buffer(name, torch.as_tensor(bound, dtype=torch.float32))

    def forward(self, *inputs: Tensor) -> Any:
        """Actions [N, …] for the inputs that the interface lists.

        With a memory the last two are `starts` [N], bool, where episodes begin, and the state
        [N, S] of the memory, zeros at first; it gives the state after too.
        """
        parts, memory = (inputs[:-2], inputs[-2:]) if self.recurrent else (inputs, ())
        observations = lay_out(self.environment, parts)
        p = {name: getattr(self, own) for name, own in self._names.items() if hasattr(self, own)}
        if self._normalizes:
            observations = (observations - self.observation_mean) * self.observation_inverse_std
            observations = observations.clamp(-self._clip, self._clip)
        if memory and self._body is not None:
            starts, state = memory
            sequence = (observations.unsqueeze(0), starts.unsqueeze(0))
            features, states = self._body(p, *sequence, state)
            return self._taken(self._mode(self._actor(p, features[0]))), states[0]
        if self._body is not None:
            observations = self._body(p, observations)
        return self._taken(self._mode(self._actor(p, observations)))

    def taken(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions of the module's NumPy policy, as the environment takes them."""
        return self._taken(torch.as_tensor(actions)).numpy()

    def _taken(self, actions: Tensor) -> Tensor:
        """Actions in the shape of their space; choices count from where the space starts."""
        space = self.environment.actions
        start = np.asarray(getattr(space, "start", 0))
        shaped = actions.reshape(-1, *(space.shape or ()))
        return shaped + torch.as_tensor(start.astype(np.int64)) if start.any() else shaped

    def _mode(self, output: Any) -> Tensor:
        """The deterministic actions for an output of the actor, within their bounds."""
        if self._kind == "categorical":
            largest: Tensor = output.argmax(-1)
            return largest
        if self._kind == "multi-categorical":
            parts = output.split(self._choices, -1)
            return torch.stack([part.argmax(-1) for part in parts], -1)
        if self._kind == "bernoulli":
            positive: Tensor = output > 0
            return positive.long()
        if self._kind == "beta":
            alpha, beta = (part - 1 / 3 for part in output)  # the median, nearly, as in `act`
            return self._between((alpha / (alpha + beta)).clamp(1e-6, 1 - 1e-6))
        mean: Tensor = output[0] if isinstance(output, tuple) else output
        if self._kind == "tanh-gaussian":
            return self._between((mean.tanh() + 1) / 2)
        if self._scaled:
            mean = self.action_center + self.action_scale * mean
        return mean.clamp(self.action_low, self.action_high) if self._bounded else mean

    def _between(self, share: Tensor) -> Tensor:
        return self.action_low + (self.action_high - self.action_low) * share

    def drop_unused(self, example: Example) -> None:
        """Forget the parameters that acting does not read, such as a critic's."""
        read: set[str] = set()

        class Watched(dict[str, Tensor]):
            def __getitem__(self, name: str) -> Tensor:
                read.add(name)
                return super().__getitem__(name)

        def watching(function: Callable[..., Any]) -> Callable[..., Any]:
            return lambda p, *inputs: function(Watched(p), *inputs)

        actor, body = self._actor, self._body
        self._actor, self._body = watching(actor), body and watching(body)
        self(*example.inputs)
        self._actor, self._body = actor, body
        for name in [name for name in self._names if name not in read]:
            delattr(self, self._names.pop(name))


def load(module: ModuleType, folder: Path) -> tuple[Policy, Example, list[NDArray[Any]]]:
    """The policy of a run folder's newest good checkpoint, inputs, and what the module does there.

    Raises:
        ExportError: the module has no actor in torch, or the two forms differ.
        RunError, CheckpointError, EnvironmentFailure: the folder cannot be read, or its environment
            cannot be made.
    """
    declared = agent_of(module).policy
    if declared.actor is None:
        raise ExportError("the cross-entropy method's policy has no form in torch to export")
    checkpoint, _ = load_newest(folder)
    check_policy(module, checkpoint)
    environment = given(module)
    parts = draw(environment, *_range(declared, checkpoint))
    acted = list(_acted(declared, checkpoint, as_wrapped(environment, parts)))
    policy = Policy(declared, checkpoint, environment)
    policy.eval()
    example = _example(environment, parts)
    expected = [policy.taken(actions) for actions in acted]
    with torch.no_grad():
        policy.drop_unused(example)
        compare(lambda *inputs: _arrays(policy(*map(torch.as_tensor, inputs))), example, expected)
    return policy, example, expected


def compare(run: Any, example: Example, expected: list[NDArray[Any]]) -> None:
    """Check an exported policy against actions that the module took, step by step.

    Args:
        run: from the example's inputs, as arrays, to the outputs.

    Raises:
        ExportError: actions differ, beyond rounding.
    """
    inputs = [tensor.numpy() for tensor in example.inputs]
    for step, actions in enumerate(expected):
        outputs = run(*inputs)
        found = np.asarray(outputs[0])
        close = np.isclose(found, actions, rtol=TOLERANCE, atol=TOLERANCE)
        # Where two logits are the same to rounding, either is the largest.
        if found.shape != actions.shape or close.mean() < (
            0.98 if actions.dtype.kind == "i" else 1
        ):
            raise ExportError(f"the exported policy's actions differ from the module's at {step}")
        if len(outputs) > 1:
            inputs[-2:] = [np.zeros_like(inputs[-2]), np.asarray(outputs[1])]


def _range(declared: interface.Policy, checkpoint: Checkpoint) -> tuple[Any, Any]:
    """Mean and deviation of the observations that a policy has seen, where they are normalised."""
    if declared.new_normalizer is None:
        return None, None
    normalize = declared.new_normalizer()
    normalize.load(checkpoint["observations"])
    mean, inverse = normalize.constants()
    plain = len(normalize.state()["mean"])  # without the mask
    return mean[:plain], 1 / inverse[:plain]


def _acted(
    declared: interface.Policy, checkpoint: Checkpoint, observations: NDArray[Any]
) -> Iterator[NDArray[Any]]:
    """The actions of the module's NumPy policy; with a memory, at each of three steps."""
    policy = declared.load(checkpoint)
    for _ in range(3 if declared.memory else 1):
        yield np.asarray(policy(observations))


def _example(environment: Given, parts: list[NDArray[Any]]) -> Example:
    tensors = [torch.as_tensor(part) for part in parts]
    if environment.memory:
        tensors += [torch.ones(ROWS, dtype=torch.bool), torch.zeros(ROWS, environment.memory)]
    return Example(tuple(part.name for part in inputs(environment)), tuple(tensors))


def _arrays(outputs: Any) -> list[NDArray[Any]]:
    return [x.numpy() for x in (outputs if isinstance(outputs, tuple) else (outputs,))]
