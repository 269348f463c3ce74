"""Action masks, against sb3-contrib's distributions and an environment that raises."""

import numpy as np
import pytest
import torch
from sb3_contrib.common.maskable import distributions

import toys  # noqa: F401 - registers the environments
from ppoc.runtime.run.launch import execute

SHORT = (
    "training.total_steps=2000",
    "update={rollout_steps: 200, minibatch_size: 100, epochs: 2}",
    "evaluation={episodes: 4, deterministic: true}",
)
KINDS = ["Discrete", "DiscreteFromOne", "MultiDiscrete"]
PEERS = {
    "Discrete": distributions.MaskableCategoricalDistribution(3),
    "MultiDiscrete": distributions.MaskableMultiCategoricalDistribution([2, 3]),
}


def masked_module(module_of, name, *more):
    env = f"{{id: {name}-v0, backend: gymnasium, num_envs: 4, action_masks: true}}"
    return module_of("ppo/cartpole", *SHORT, f"env={env}", *more)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("told", ["Masked", "MethodMasked"])
def test_no_forbidden_action_is_ever_taken(module_of, tmp_path, kind, told):
    """Neither in training nor in evaluation; an untrained policy would within some steps."""
    module = masked_module(module_of, told + kind)
    result = execute(module, tmp_path, mode="quiet")
    assert result.steps == 2000
    assert result.evaluation.episodes == 4


@pytest.mark.parametrize("kind", PEERS)
def test_log_prob_and_entropy_are_sb3_contribs(module_of, kind):
    module = masked_module(module_of, f"Masked{kind}")
    generator = torch.Generator().manual_seed(0)
    size = module.initial_parameters(0).shape
    p = module.runtime.unflatten(torch.randn(size, generator=generator), module.SHAPES)
    choices = 3 if kind == "Discrete" else 5
    observations = torch.randn(64, 3, generator=generator)
    allowed = torch.rand(64, choices, generator=generator) < 0.5
    allowed[:, 1] = allowed[:, -1] = True  # of each component
    inputs = torch.cat([observations, allowed.float()], -1)
    logits = module.actor(p, inputs)
    noise = module.draw_noise(np.random.default_rng(0), 1, 64)[0]
    actions = torch.as_tensor(
        module.act({k: v.numpy() for k, v in p.items()}, inputs.numpy(), noise)
    )
    free = torch.cat([observations, torch.ones(64, choices)], -1)
    peer = PEERS[kind].proba_distribution(module.actor(p, free))
    peer.apply_masking(allowed.numpy())
    torch.testing.assert_close(module.log_prob(logits, actions), peer.log_prob(actions))
    torch.testing.assert_close(module.entropy(logits), peer.entropy())
    torch.testing.assert_close(module.critic(p, inputs), module.critic(p, free))


@pytest.mark.parametrize("kind", ["Discrete", "MultiDiscrete"])
def test_normalisation_leaves_masks_alone(module_of, tmp_path, kind):
    module = masked_module(module_of, f"Masked{kind}", "env.normalize.observations=true")
    assert execute(module, tmp_path, mode="quiet").steps == 2000
    envs = module.make_envs(50)
    observations = envs.reset(0)
    normalize = module.new_normalizer()
    normalize.update(observations)
    seen = normalize(observations)
    np.testing.assert_array_equal(seen[:, 3:], observations[:, 3:])
    np.testing.assert_allclose(seen[:, :3].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen[:, :3].std(0), 1, atol=1e-3)
