"""How much a policy gradient estimate varies from batch to batch."""

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppoc.runtime.envs.guard import check_rollout
from ppoc.runtime.envs.seeds import derive_seed
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
    if not hasattr(module, "make_batch"):
        raise ValueError("the cross-entropy method has no gradient to compare")
    start = unflatten(module.initial_parameters(module.SEED), module.SHAPES)
    start.update({name: x for name, x in (parameters or {}).items() if name in start})
    params = flatten(start, module.SHAPES)
    actor = sum(x.numel() for name, x in start.items() if not name.startswith("critic"))
    objective = getattr(module, "surrogate", module.loss)
    gradient = torch.func.grad(
        lambda x, batch: objective(x, batch, *_constants(module, objective))[0]
    )
    envs = module.make_envs(module.NUM_ENVS)
    try:
        return torch.stack(
            [
                gradient(params, _batch(module, envs, params, derive_seed(seed, index)))[:actor]
                for index in range(batches)
            ]
        )
    finally:
        envs.close()


def _batch(module: ModuleType, envs: Any, params: Tensor, seed: int) -> Any:
    if hasattr(module, "new_episodes"):
        return _device_batch(module, params, seed)
    rng = np.random.default_rng(seed)
    noise = module.draw_noise(rng, module.ROLLOUT_LENGTH, module.NUM_ENVS)
    w = {name: x.numpy() for name, x in unflatten(params, module.SHAPES).items()}
    normalize = [module.new_normalizer()] if hasattr(module, "new_normalizer") else []
    rollout, _ = module.collect(envs, w, *normalize, envs.reset(seed), noise)
    check_rollout(module.ENV_ID, rollout)
    tensors = [torch.as_tensor(x) for x in rollout]
    if hasattr(module, "action_log_probs"):
        tensors.append(module.action_log_probs(params, tensors[0], tensors[1]))
    if "next_noise" in inspect.signature(module.make_batch).parameters:
        noise = module.draw_noise(rng, module.ROLLOUT_LENGTH, module.NUM_ENVS)
        tensors.append(torch.as_tensor(noise))
    return module.make_batch(params, *tensors)


def _device_batch(module: ModuleType, params: Tensor, seed: int) -> Any:
    """The same of a module whose rollouts are on the device."""
    generator = torch.Generator().manual_seed(seed)
    state, scaling = module.new_episodes(generator), []
    if hasattr(module, "normalize"):
        scaling.append(no_moments().scaling())
    _, rollout = module.collect(params, state, *scaling, module.draw(generator))
    tensors = list(rollout)
    if "next_noise" in inspect.signature(module.make_batch).parameters:
        tensors.append(module.draw_noise(generator, module.ROLLOUT_LENGTH, module.NUM_ENVS))
    return module.make_batch(params, *tensors)


def _constants(module: ModuleType, objective: Any) -> list[Tensor]:
    """Initial values of what an objective takes beside parameters and batch."""
    names = list(inspect.signature(objective).parameters)[2:]
    values = [
        getattr(module, name.upper(), None) or getattr(module, f"OBJECTIVE_{name.upper()}")
        for name in names
    ]
    return [torch.tensor(value) for value in values]
