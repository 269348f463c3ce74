"""The spread of gradients, against its definition."""

import numpy as np
import pytest
import torch

from ppoc.runtime.evaluation.variance import gradient_samples, spread

ON_DEVICE = "training={device: cuda, compile: never}"


def test_spread_is_its_definition():
    gradients = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) + 2
    found = spread(gradients, 7)
    array = gradients.numpy().astype(np.float64)
    variance = np.trace(np.cov(array.T))
    signal = (array.mean(0) ** 2).sum() - variance / 50
    assert (found.batch_size, found.batches) == (7, 50)
    assert found.variance == pytest.approx(variance, rel=1e-5)
    assert found.relative == pytest.approx(variance / signal, rel=1e-5)
    assert found.mean_norm == pytest.approx(np.linalg.norm(array.mean(0)), rel=1e-5)
    cosines = []
    for k in range(50):
        rest = np.delete(array, k, axis=0).mean(0)
        cosines.append(array[k] @ rest / np.linalg.norm(array[k]) / np.linalg.norm(rest))
    assert found.cosine == pytest.approx(np.mean(cosines), rel=1e-5)


def test_gradients_without_a_signal_have_no_relative_variance():
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert spread(gradients, 1).relative == float("inf")


@pytest.mark.parametrize(
    "spec",
    [
        ("off-policy/cartpole", "update.buffer.clip=2.0"),
        ("q-actor-critic/cartpole", "env.id=Pendulum-v1"),
        ("trpo/cartpole",),
        ("ppo/cartpole", ON_DEVICE),
        ("q-actor-critic/cartpole", "env.id=Pendulum-v1", ON_DEVICE),
        ("ppo/pendulum", "env.normalize.observations=true", ON_DEVICE),
    ],
)
def test_every_kind_of_batch_has_a_gradient(module_of, spec):
    gradients = gradient_samples(module_of(*spec), 2, 0)
    assert gradients.isfinite().all()
    assert (gradients != 0).any(-1).all()


def test_a_search_has_no_gradient(module_of):
    with pytest.raises(ValueError, match="no gradient"):
        gradient_samples(module_of("cem/cartpole"), 2, 0)


def test_samples_repeat_with_the_seed_and_take_given_parameters(module_of):
    module = module_of("a2c/cartpole")
    first, again = (gradient_samples(module, 3, 5) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])
    head = {"actor.2.weight": torch.ones(2, 64), "unknown": torch.zeros(1)}
    assert not torch.equal(gradient_samples(module, 3, 5, head), first)
