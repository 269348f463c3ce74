"""How much a policy gradient estimate varies from batch to batch."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppoc.runtime.declared import agent_of
from ppoc.runtime.envs.guard import check_rollout
from ppoc.runtime.envs.seeds import derive_seed
from ppoc.runtime.interface import AgentInterface, Rollouts
from ppoc.runtime.learning.parameters import flatten, unflatten
from ppoc.runtime.learning.tensor_statistics import no_moments


class Spread(NamedTuple):
    """The agreement and spread of gradients of batches of one size, over the actor's parameters."""

    batch_size: int
    batches: int
    mean_norm: float  # length of the mean gradient
    variance: float  # of one batch's gradient: the trace of its covariance
    relative: float  # variance over the squared length of the mean: free of the gradient's scale
    cosine: float  # mean cosine between one batch's gradient and the mean of the others


def spread(gradients: Tensor, batch_size: int) -> Spread:
    """The spread of K ≥ 2 gradients [K, P]; variance is unbiased.

    The squared length of the mean is corrected for the variance it holds by chance, and `relative`
    is infinite where nothing is left of it.
    """
    count = len(gradients)
    mean = gradients.mean(0)
    variance = gradients.var(0).sum().item()
    signal = (mean @ mean).item() - variance / count
    others = (count * mean - gradients) / (count - 1)
    cosine = torch.nn.functional.cosine_similarity(gradients, others).mean().item()
    relative = variance / signal if signal > 0 else float("inf")
    return Spread(batch_size, count, mean.norm().item(), variance, relative, cosine)


def gradient_samples(
    module: ModuleType, batches: int, seed: int, parameters: Mapping[str, Tensor] | None = None
) -> Tensor:
    """Gradients of a module's policy objective from fresh rollouts, [K, P], the actor's part.

    Every batch starts from new episodes. `parameters` by name stand in for the initial ones; those
    the module does not have are left out. A buffer holds the one rollout.

    Raises:
        ValueError: the module learns without a gradient.
        EnvironmentFailure: an environment fails, or gives what is not finite.
    """
    own = agent_of(module)
    learning, rollouts = own.learning, own.rollouts
    if learning is None:
        raise ValueError("the cross-entropy method has no gradient to compare")
    shapes, arguments = own.policy.shapes, [torch.tensor(value) for value in learning.arguments]
    start = unflatten(learning.initial_parameters(own.seed), shapes)
    start.update({name: x for name, x in (parameters or {}).items() if name in start})
    params = flatten(start, shapes)
    actor = sum(x.numel() for name, x in start.items() if not name.startswith("critic"))
    gradient = torch.func.grad(lambda x, batch: learning.objective(x, batch, *arguments)[0])
    sampled = _host_rollout if rollouts.new_episodes is None else _device_rollout
    envs = own.environment.make(rollouts.num_envs)
    try:
        batches_of = (
            learning.make_batch(params, *sampled(own, envs, params, derive_seed(seed, index)))
            for index in range(batches)
        )
        return torch.stack([gradient(params, batch)[:actor] for batch in batches_of])
    finally:
        envs.close()


def _host_rollout(own: AgentInterface, envs: Any, params: Tensor, seed: int) -> list[Tensor]:
    """Arguments of `make_batch`: a rollout from new episodes."""
    policy, rollouts = own.policy, own.rollouts
    rng = np.random.default_rng(seed)
    noise = _noise(rollouts, rng)
    w = {name: x.numpy() for name, x in unflatten(params, policy.shapes).items()}
    normalize = [policy.new_normalizer()] if policy.new_normalizer else []
    rollout, _ = rollouts.collect(envs, w, *normalize, envs.reset(seed), noise)
    check_rollout(own.environment.id, rollout)
    tensors = [torch.as_tensor(x) for x in rollout]
    if rollouts.action_log_probs is not None:
        tensors.append(rollouts.action_log_probs(params, tensors[0], tensors[1]))
    if own.learning and own.learning.next_noise:
        tensors.append(torch.as_tensor(_noise(rollouts, rng)))
    return tensors


def _device_rollout(own: AgentInterface, envs: Any, params: Tensor, seed: int) -> list[Tensor]:
    """The same of a module whose rollouts are on the device."""
    rollouts = own.rollouts
    assert rollouts.new_episodes is not None
    assert rollouts.draw is not None
    generator = torch.Generator().manual_seed(seed)
    state = rollouts.new_episodes(generator)
    scaling = [no_moments().scaling()] if rollouts.normalizes else []
    _, rollout = rollouts.collect(params, state, *scaling, rollouts.draw(generator))
    tensors = list(rollout)
    if own.learning and own.learning.next_noise:
        tensors.append(_noise(rollouts, generator))
    return tensors


def _noise(rollouts: Rollouts, generator: Any) -> Any:
    assert rollouts.draw_noise is not None
    return rollouts.draw_noise(generator, rollouts.length, rollouts.num_envs)
