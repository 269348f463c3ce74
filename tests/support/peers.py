"""Stable-Baselines3's models with the parameters and the data of a generated module."""

import torch
from gymnasium import Env
from stable_baselines3.common.logger import Logger

NAMES = {
    "actor.0": "mlp_extractor.policy_net.0",
    "actor.1": "mlp_extractor.policy_net.2",
    "actor.2": "action_net",
    "critic.0": "mlp_extractor.value_net.0",
    "critic.1": "mlp_extractor.value_net.2",
    "critic.2": "value_net",
}


class Spaces(Env):
    """Only the spaces of an environment."""

    def __init__(self, observations, actions):
        self.observation_space, self.action_space = observations, actions


def sb3_name(name):
    """The name in Stable-Baselines3 of a parameter of a module with two hidden layers."""
    layer, _, kind = name.rpartition(".")
    return "log_std" if name == "log_std" else f"{NAMES[layer]}.{kind}"


def set_parameters(model, module, params):
    """Give a model the module's parameters, [P]."""
    model.set_logger(Logger(None, []))
    state = dict(model.policy.state_dict())
    for name, tensor in module.runtime.unflatten(params, module.SHAPES).items():
        state[sb3_name(name)] = tensor.clone()
    model.policy.load_state_dict(state)


def flat_parameters(model, module):
    """A model's parameters in the module's order, [P]."""
    state = model.policy.state_dict()
    return torch.cat([state[sb3_name(name)].reshape(-1) for name in module.SHAPES])


def fill_buffer(model, batch):
    """Give a model a module's batch as its rollout."""
    buffer = model.rollout_buffer
    for name in ("actions", "log_probs", "advantages", "returns", "observations"):
        array = getattr(batch, name).float().numpy()
        getattr(buffer, name)[...] = array.reshape(getattr(buffer, name).shape)
    buffer.full = True
