"""A trained policy as one torch.nn.Module, from raw observations to the actions of its mode.

The generated module's own torch functions are wrapped, with the normalisation before them and the
bounds after them. What comes out is compared with the NumPy policy that `ppoc eval` uses.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ppoc.runtime.envs import VectorEnv
from ppoc.runtime.layout import check_policy
from ppoc.runtime.run import Checkpoint, load_newest

ROWS = 64  # observations that policies are compared on
TOLERANCE = 1e-4  # of actions, relative to their size


class ExportError(Exception):
    """A policy that cannot be exported; the text says why."""


class Example(NamedTuple):
    """Inputs of a policy: observations [N, …]; with a memory also starts [N] and state [N, S]."""

    names: tuple[str, ...]
    inputs: tuple[Tensor, ...]


class Policy(nn.Module):
    """Deterministic actions of a generated module's policy under the parameters of a checkpoint."""

    observation_mean: Tensor
    observation_inverse_std: Tensor
    action_low: Tensor
    action_high: Tensor

    def __init__(self, module: ModuleType, checkpoint: Checkpoint, kind: str) -> None:
        """Of the parameters only those are kept that acting reads.

        Args:
            kind: of the actions: categorical, multi-categorical, bernoulli, gaussian,
                tanh-gaussian or beta.
        """
        super().__init__()
        self._module, self._kind = module, kind
        self.recurrent = hasattr(module, "STATE_SIZE")
        self._names: dict[str, str] = {}
        for name, tensor in checkpoint["parameters"].items():
            self._names[name] = name.replace(".", "_")
            self.register_buffer(self._names[name], tensor.clone())
        self._normalizes = hasattr(module, "new_normalizer")
        if self._normalizes:
            normalize = module.new_normalizer()
            normalize.load(checkpoint["observations"])
            mean, inverse = (torch.as_tensor(x) for x in normalize.constants())
            self.register_buffer("observation_mean", mean)
            self.register_buffer("observation_inverse_std", inverse)
            self._clip = float(normalize.clip)
        bounds = [getattr(module, name, None) for name in ("ACTION_LOW", "ACTION_HIGH")]
        self._bounded = None not in bounds
        if self._bounded:
            for name, bound in zip(("action_low", "action_high"), bounds, strict=True):
                self.register_buffer(name, torch.as_tensor(bound, dtype=torch.float32))

    def forward(
        self, observations: Tensor, starts: Tensor | None = None, state: Tensor | None = None
    ) -> Any:
        """Actions for observations [N, …].

        With a memory it takes `starts` [N], bool, where episodes begin, and the state [N, S] of the
        memory too, zeros at first, and gives the state after.
        """
        p = {name: getattr(self, own) for name, own in self._names.items() if hasattr(self, own)}
        if self._normalizes:
            observations = (observations - self.observation_mean) * self.observation_inverse_std
            observations = observations.clamp(-self._clip, self._clip)
        if starts is not None:
            sequence = (observations.unsqueeze(0), starts.unsqueeze(0))
            features, states = self._module.body(p, *sequence, state)
            return self._mode(self._module.actor(p, features[0])), states[0]
        if hasattr(self._module, "body"):
            observations = self._module.body(p, observations)
        return self._mode(self._module.actor(p, observations))

    def _mode(self, output: Any) -> Tensor:
        """What the environment takes, for the output of the actor."""
        if self._kind == "categorical":
            largest: Tensor = output.argmax(-1)
            return largest
        if self._kind == "multi-categorical":
            parts = output.split(self._module.CHOICES, -1)
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

        kept, module = self._module, self._module
        functions = ("body", "actor")
        watching = ModuleType("watching")
        watching.__dict__.update(vars(module))
        for name in functions:
            if hasattr(module, name):
                inner = getattr(module, name)
                setattr(watching, name, lambda p, *x, inner=inner: inner(Watched(p), *x))
        self._module = watching
        self(*example.inputs)
        self._module = kept
        for name in [name for name in self._names if name not in read]:
            delattr(self, self._names.pop(name))


def load(module: ModuleType, folder: Path) -> tuple[Policy, Example, list[NDArray[Any]]]:
    """The policy of a run folder's newest good checkpoint, inputs, and what the module does there.

    Raises:
        ExportError: the module has no actor in torch, or the two forms differ.
        RunError, CheckpointError, EnvironmentFailure: the folder cannot be read, or its environment
            cannot be made.
    """
    if not hasattr(module, "actor"):
        raise ExportError("the cross-entropy method's policy has no form in torch to export")
    checkpoint, _ = load_newest(folder)
    check_policy(module, checkpoint)
    envs: VectorEnv = module.make_envs(1)
    try:
        observations = _observations(envs, module, checkpoint)
    finally:
        envs.close()
    expected = list(_acted(module, checkpoint, observations))
    policy = Policy(module, checkpoint, _kind(module, expected[0]))
    policy.eval()
    example = _example(module, observations)
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
        if len(inputs) > 1:
            inputs[1:] = [np.zeros_like(inputs[1]), np.asarray(outputs[1])]


def _kind(module: ModuleType, actions: NDArray[Any]) -> str:
    """The distribution, which its functions and its actions tell."""
    arguments = list(inspect.signature(module.log_prob).parameters)
    if arguments[0] == "logits":
        several = "multi-categorical" if hasattr(module, "CHOICES") else "bernoulli"
        return "categorical" if actions.ndim == 1 else several
    if arguments[0] == "alpha":
        return "beta"
    return "tanh-gaussian" if hasattr(module, "log_slope") else "gaussian"


def _observations(envs: VectorEnv, module: ModuleType, checkpoint: Checkpoint) -> NDArray[Any]:
    """Random observations [ROWS, …] of the range that the policy has seen."""
    rng, first = np.random.default_rng(0), envs.reset(0)
    shape = (ROWS, *first.shape[1:])
    if first.dtype == np.uint8:
        return rng.integers(0, 256, shape, np.uint8)
    drawn = first + rng.standard_normal(shape, dtype=np.float32)
    if hasattr(module, "new_normalizer"):
        normalize = module.new_normalizer()
        normalize.load(checkpoint["observations"])
        mean, inverse = normalize.constants()
        drawn = mean + rng.standard_normal(shape, dtype=np.float32) / inverse
    return np.asarray(drawn, np.float32)


def _acted(
    module: ModuleType, checkpoint: Checkpoint, observations: NDArray[Any]
) -> Iterator[NDArray[Any]]:
    """What the module's NumPy policy does; with a memory, at each of three steps."""
    policy = module.load_policy(checkpoint)
    for _ in range(3 if hasattr(module, "STATE_SIZE") else 1):
        yield np.asarray(policy(observations))


def _example(module: ModuleType, observations: NDArray[Any]) -> Example:
    tensor = torch.as_tensor(observations)
    if not hasattr(module, "STATE_SIZE"):
        return Example(("observations",), (tensor,))
    starts = torch.ones(len(tensor), dtype=torch.bool)
    state = torch.zeros(len(tensor), module.STATE_SIZE)
    return Example(("observations", "starts", "state"), (tensor, starts, state))


def _arrays(outputs: Any) -> list[NDArray[Any]]:
    return [x.numpy() for x in (outputs if isinstance(outputs, tuple) else (outputs,))]
