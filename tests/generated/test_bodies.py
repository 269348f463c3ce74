"""Networks for images, against torch.nn with the same weights."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import toys  # noqa: F401 - registers the environments

UPDATE = "update={rollout_steps: 48, minibatch_size: all}"
SHORT = ("env={num_envs: 4, backend: gymnasium, id: ToyDiscreteBytes-v0}", UPDATE)
CNN = "body: cnn, convolutions: [[4, 5, 3], [6, 3, 2]], features: 9"
BODIES = {
    "nature-cnn": "body: nature-cnn",
    "impala-cnn": "body: impala-cnn, features: 12",
    "cnn": CNN,
}
T, N = 6, 3


def image_module(module_of, body, *more, layers="[7]", critic=None):
    networks = f"{{{BODIES[body]}, layers: {layers}}}"
    own = f"networks.critic={critic or networks}"
    return module_of("ppo/cartpole", *SHORT, f"networks.actor={networks}", own, *more)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.parts = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x):
        return x + self.parts[1](torch.relu(self.parts[0](torch.relu(x))))


def peer(body, actions=3):
    """The network of the paper, for images of 36×40 in three colours."""
    if body == "impala-cnn":
        parts, channels = [], 3
        for filters in (16, 32, 32):
            parts.append(nn.Conv2d(channels, filters, 3, padding=1))
            parts.append(nn.MaxPool2d(3, stride=2, padding=1))
            parts += [Residual(filters), Residual(filters)]
            channels = filters
        parts += [nn.ReLU(), nn.Flatten(), nn.Linear(32 * 5 * 5, 12), nn.ReLU()]
        width = 12
    elif body == "nature-cnn":
        convolutions = [nn.Conv2d(3, 32, 8, 4), nn.Conv2d(32, 64, 4, 2), nn.Conv2d(64, 64, 3, 1)]
        parts = [x for convolution in convolutions for x in (convolution, nn.ReLU())]
        parts += [nn.Flatten(), nn.Linear(64 * 1 * 1, 512), nn.ReLU()]
        width = 512
    else:
        parts = [nn.Conv2d(3, 4, 5, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, 2), nn.ReLU()]
        parts += [nn.Flatten(), nn.Linear(6 * 5 * 5, 9), nn.ReLU()]
        width = 9
    return nn.Sequential(*parts, nn.Linear(width, 7), nn.Tanh(), nn.Linear(7, actions))


def random_parameters(module, seed):
    generator = torch.Generator().manual_seed(seed)
    size = module.initial_parameters(0).shape
    return 0.05 * torch.randn(size, generator=generator)


def images(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (*shape, 3, 36, 40), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("body", BODIES)
def test_a_body_is_torchs_with_the_same_weights(module_of, body):
    """Bytes are scaled to [0, 1], and any axes may come before an image's."""
    module = image_module(module_of, body)
    params = random_parameters(module, 0)
    p = module.runtime.unflatten(params, module.SHAPES)
    model = peer(body)
    own = [name for name in module.SHAPES if name.startswith("actor.")]
    with torch.no_grad():
        for tensor, name in zip(model.parameters(), own, strict=True):
            assert tensor.shape == module.SHAPES[name]
            tensor.copy_(p[name])
    seen = images(1, 2, 3)
    expected = model(seen.flatten(0, 1) / 255).view(2, 3, 3)
    torch.testing.assert_close(module.actor(p, seen), expected, rtol=1e-5, atol=1e-6)
    assert expected.std() > 1e-4


@pytest.mark.parametrize("body", ["impala-cnn", "cnn"])
@pytest.mark.parametrize("init", ["orthogonal", "xavier", "kaiming", "default"])
def test_parameters_start_as_torch_nn_init_has_them(module_of, body, init):
    wanted = f"networks.actor.init={init}", f"networks.critic.init={init}"
    module = image_module(module_of, body, *wanted)
    p = module.runtime.unflatten(module.initial_parameters(3), module.SHAPES)
    for name, tensor in p.items():
        if name.endswith(".bias"):
            if init != "default":
                assert not tensor.any()
            continue
        gain = {"actor.1.weight": 0.01, "critic.1.weight": 1.0}.get(name, 2**0.5)
        if init == "orthogonal":
            rows = tensor.flatten(1).double()
            rows = rows if rows.shape[0] <= rows.shape[1] else rows.T
            expected = gain**2 * torch.eye(len(rows), dtype=torch.float64)
            torch.testing.assert_close(rows @ rows.T, expected, rtol=0, atol=1e-4)
            continue
        like = torch.empty_like(tensor)
        if init == "xavier":
            bound = gain * math.sqrt(6 / sum(nn.init._calculate_fan_in_and_fan_out(like)))
        else:
            fan_in = nn.init._calculate_fan_in_and_fan_out(like)[0]
            bound = gain * math.sqrt(3 / fan_in) if init == "kaiming" else 1 / math.sqrt(fan_in)
        # The largest of n uniform numbers is within 12/n of the bound, but for one time in 10⁵.
        assert tensor.abs().max() <= bound * (1 + 1e-6)
        assert tensor.abs().max() > bound * (1 - 12 / tensor.numel())


SHARES = {
    "none": None,
    "body": "{share: body, layers: [5]}",
    "actor": "{share: actor}",
}


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("body", ["impala-cnn", "cnn"])
def test_gradients_reach_every_parameter(module_of, body, share):
    module = image_module(module_of, body, critic=SHARES[share])
    params = module.initial_parameters(1)
    seen = images(4, T, N)

    def total(params):
        p = module.runtime.unflatten(params, module.SHAPES)
        inputs = seen if share == "none" else module.body(p, seen)
        return (module.actor(p, inputs)[..., 0] + module.critic(p, inputs)).square().sum()

    gradient = module.runtime.unflatten(torch.func.grad(total)(params), module.SHAPES)
    assert all(tensor.any() for tensor in gradient.values())
    prefixes = {name.partition(".")[0] for name in module.SHAPES}
    assert prefixes == ({"actor", "critic"} if share == "none" else {"body", "actor", "critic"})
    heads = {"none": ["critic.features.weight"], "body": ["critic.0.weight", "critic.1.weight"]}
    assert all(name in module.SHAPES for name in heads.get(share, ["critic.weight"]))
    assert ("critic.0.weight" in module.SHAPES) == (share != "actor")


@pytest.mark.parametrize("share", SHARES)
def test_values_of_successors_are_those_of_evaluating_them_all(module_of, share):
    module = image_module(module_of, "cnn", critic=SHARES[share])
    params = random_parameters(module, 5)
    observations = images(6, T + 1, N)
    ended = torch.zeros(T, N, dtype=torch.bool)
    ended[1, 0] = ended[3, 2] = ended[T - 1, 1] = True
    successors = observations[1:].clone()
    successors[ended] = images(7, 3)
    terminated = ended & (torch.arange(N) == 0)
    rewards, actions = torch.randn(T, N), torch.zeros(T, N, dtype=torch.int64)
    batch = module.make_batch(
        params, observations[:T], actions, rewards, terminated, ended & ~terminated, successors
    )
    p = module.runtime.unflatten(params, module.SHAPES)
    first, second = (
        module.critic(p, x if share == "none" else module.body(p, x))
        for x in (observations[:T], successors)
    )
    expected = module.gae(rewards, first, second, terminated, ended & ~terminated)
    torch.testing.assert_close(batch.advantages, expected.flatten(), rtol=1e-4, atol=1e-5)
    assert batch.observations.dtype == torch.uint8


@pytest.mark.parametrize(("observations", "largest"), [("Screen", 255), ("Planes", 1)])
def test_images_of_other_ranges_and_shapes_are_scaled_to_one(module_of, observations, largest):
    """Two axes are one channel; numbers from 0 to 1 stay as they are."""
    own = f"networks={{actor: {{{CNN}, layers: []}}, critic: {{share: body, layers: []}}}}"
    env = f"env={{num_envs: 4, backend: gymnasium, id: ToyDiscrete{observations}-v0}}"
    module = module_of("ppo/cartpole", env, UPDATE, own)
    envs = module.make_envs(2)
    seen = envs.reset(0)
    envs.close()
    assert seen.dtype == (np.uint8 if largest == 255 else np.float32)
    assert seen.shape == (2, 1 if observations == "Screen" else 2, 36, 40)
    p = module.runtime.unflatten(random_parameters(module, 8), module.SHAPES)
    first = nn.functional.conv2d(
        torch.as_tensor(seen) / largest, p["body.conv.0.weight"], p["body.conv.0.bias"], stride=3
    )
    second = nn.functional.conv2d(
        first.relu(), p["body.conv.1.weight"], p["body.conv.1.bias"], stride=2
    )
    expected = nn.functional.linear(
        second.relu().flatten(1), p["body.features.weight"], p["body.features.bias"]
    ).relu()
    torch.testing.assert_close(module.body(p, torch.as_tensor(seen)), expected)
