"""Values that the planner moves out of a rollout's loop are what they would be inside."""

import numpy as np
import pytest
import torch

SPECS = {
    "categorical": ("ppo/cartpole", "env.num_envs=4"),
    "gaussian": ("ppo/pendulum", "env={num_envs: 4, normalize: {observations: true}}"),
    "shared": ("ppo/pendulum", "env.num_envs=4", "networks.critic={share: actor}"),
}


@pytest.mark.parametrize("kind", SPECS)
def test_values_and_log_probs_of_a_rollout_are_those_at_each_step(module_of, kind):
    """Evaluated where the action was taken, with the statistics and parameters of that moment."""
    module = module_of(*SPECS[kind], "update.rollout_steps=256", "losses.value.clip=0.2")
    generator = torch.Generator().manual_seed(0)
    size = module.initial_parameters(1).shape
    params = module.initial_parameters(1) + 0.3 * torch.randn(size, generator=generator)
    p = module.runtime.unflatten(params, module.SHAPES)
    normalize = [module.new_normalizer()] if hasattr(module, "new_normalizer") else []
    for normalizer in normalize:
        normalizer.update(np.random.default_rng(0).normal(1, 3, (50, 3)).astype(np.float32))
    seen = []

    class Watched:
        """Environments that evaluate the policy whenever an action is taken."""

        def step(self, actions):
            inputs = torch.as_tensor(seen[-1])
            features = module.body(p, inputs) if hasattr(module, "body") else inputs
            values.append(module.critic(p, features))
            return envs.step(actions)

    envs, values, log_probs = module.make_envs(4), [], []
    act = module.act

    def watched_act(w, observations, noise):
        seen.append(observations)
        actions = act(w, observations, noise)
        inputs = torch.as_tensor(observations)
        features = module.body(p, inputs) if hasattr(module, "body") else inputs
        std = [p["log_std"]] if "log_std" in p else []
        taken = torch.as_tensor(np.asarray(actions, None if not std else np.float32))
        log_probs.append(module.log_prob(module.actor(p, features), *std, taken))
        return actions

    module.act = watched_act
    try:
        w = module.runtime.as_arrays(params, module.SHAPES)
        noise = module.draw_noise(np.random.default_rng(1), module.ROLLOUT_LENGTH, 4)
        rollout, _ = module.collect(Watched(), w, *normalize, envs.reset(3), noise)
    finally:
        module.act = act
        envs.close()
    if normalize:
        rollout = rollout._replace(
            observations=normalize[0](rollout.observations),
            next_observations=normalize[0](rollout.next_observations),
        )
    batch = module.make_batch(params, *map(torch.as_tensor, rollout))
    torch.testing.assert_close(batch.values, torch.stack(values).flatten(), rtol=1e-5, atol=1e-5)
    expected = torch.stack(log_probs).flatten()
    torch.testing.assert_close(batch.log_probs, expected, rtol=1e-5, atol=1e-5)
    # The true successors' values are what advantages go on from.
    inputs = torch.as_tensor(rollout.next_observations)
    following = module.critic(p, module.body(p, inputs) if hasattr(module, "body") else inputs)
    ends = (torch.as_tensor(x) for x in (rollout.terminated, rollout.truncated))
    rewards = torch.as_tensor(rollout.rewards)
    expected = module.gae(rewards, torch.stack(values), following, *ends)
    torch.testing.assert_close(batch.advantages, expected.flatten(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", SPECS)
def test_noise_drawn_at_once_is_that_drawn_at_each_step(module_of, kind):
    module = module_of(*SPECS[kind])
    at_once = module.draw_noise(np.random.default_rng(5), 20, 4)
    rng = np.random.default_rng(5)
    each = [module.draw_noise(rng, 1, 4)[0] for _ in range(20)]
    np.testing.assert_array_equal(at_once, each)
