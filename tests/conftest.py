"""What many tests need: a spec compiled and imported."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from ppoc.compiler.build import Compiled, compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.launch import load_module

ROOT = Path(__file__).parents[1]
ZOO = ROOT / "specs" / "ppo"


# Between them, every branch of every template.
VARIANTS = {
    **{path.stem: (path.stem,) for path in sorted(ZOO.glob("*.yaml"))},
    "shared-categorical": (
        "cartpole",
        "networks.critic={share: actor}",
        "losses.entropy={beta: 0.01, schedule: linear}",
        "update.target_kl=0.02",
        "evaluation={every: 1000, deterministic: false}",
        "networks.actor={activation: silu, init: default}",
    ),
    "shared-gaussian": (
        "halfcheetah",
        "networks.critic={share: actor}",
        "advantage.normalize=false",
        "optimizer.max_grad_norm=null",
    ),
    "split-rates": (
        "pendulum",
        "optimizer.critic={lr: 3e-3, schedule: linear, epsilon: 1e-8}",
        "env.normalize.rewards=true",
        "losses.entropy.beta=0.01",
        "update.target_kl=0.05",
        "losses.policy.schedule=linear",
        "training.total_steps=2_000_000",
    ),
    "linear-networks": ("cartpole", "networks.actor.layers=[]", "networks.critic.layers=[]"),
    "gymnasium": (
        "cartpole",
        "env={backend: gymnasium, max_episode_steps: 100, options: {sutton_barto_reward: true}}",
        "losses.value.clip=0.2",
        "networks.critic={activation: elu, layers: [32]}",
    ),
    "long-constants": (
        "hopper",
        "env={backend: gymnasium, max_episode_steps: 300}",
        "env.options={forward_reward_weight: 1.0, ctrl_cost_weight: 0.001, healthy_reward: 1.0, "
        "terminate_when_unhealthy: true}",
    ),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `variant` over the zoo and every branch of the templates."""
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())


@functools.cache
def compile_zoo(name: str, *overrides: str) -> Compiled:
    """A spec of the zoo, compiled with overrides."""
    return compile_spec(resolve(ZOO / f"{name}.yaml", overrides))


@functools.cache
def zoo_module(name: str, *overrides: str) -> ModuleType:
    """A spec of the zoo, compiled with overrides and imported."""
    folder = Path(tempfile.mkdtemp(prefix="ppoc-test-"))
    compile_zoo(name, *overrides).write(folder)
    return load_module(folder / "module.py")


@pytest.fixture
def module_of() -> Callable[..., ModuleType]:
    return zoo_module


@pytest.fixture
def compiled_of() -> Callable[..., Compiled]:
    return compile_zoo


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/")
