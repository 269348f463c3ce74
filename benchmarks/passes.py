"""Gain of each decision of the planner on its own, which passes.py and backends.py rest on.

    OPENBLAS_NUM_THREADS=1 python benchmarks/passes.py

One process, torch and NumPy on one thread each, caches of compilers set aside. Each row is a piece
of an iteration done two ways, in medians of many calls; `tests` says where the two are shown to
give the same.
Prints a table and writes it to benchmarks/results/passes.md.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.envs.make import make
from ppoc.runtime.learning.compiled import compile_step
from ppoc.runtime.run.launch import load_module

# Both are looked up when something is compiled, not before.
CACHE = tempfile.mkdtemp()
os.environ.update(PPOC_CACHE=CACHE, TORCHINDUCTOR_CACHE_DIR=f"{CACHE}/inductor")

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


class Row(NamedTuple):
    """One decision: seconds without it, with it, and where both are shown to be the same."""

    what: str
    without: float
    chosen: float
    tests: str


def seconds(call: Callable[[], Any], budget: float = 0.7) -> float:
    """The median time of a call."""
    call()
    taken: list[float] = []
    end = time.perf_counter() + budget
    while time.perf_counter() < end or len(taken) < 5:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def module_of(name: str, *overrides: str) -> ModuleType:
    folder = Path(tempfile.mkdtemp())
    compile_spec(resolve(ROOT / "specs" / f"{name}.yaml", list(overrides))).write(folder)
    return load_module(folder / "module.py")


def random_batch(module: ModuleType) -> Any:
    size, inputs = module.BATCH_SIZE, module.SHAPES["actor.0.weight"][1]
    discrete = "log_std" not in module.SHAPES
    actions = torch.zeros(size, dtype=torch.int64) if discrete else torch.randn(size, 6)
    columns = [torch.randn(size) for _ in module.Batch._fields[2:]]
    return module.Batch(torch.randn(size, inputs), actions, *columns)


def updates(name: str) -> Row:
    """An update eager and compiled; the time compiling takes goes to stderr."""
    eager, fused = (module_of(name, f"training.compile={x}") for x in ("never", "always"))
    batch, learner = random_batch(eager), eager.initial_learner(1)
    indices = torch.randint(eager.BATCH_SIZE, (eager.MINIBATCH_SIZE,))
    rest = [torch.tensor(0.1)] * (2 if "cartpole" in name else 1)
    step = compile_step(fused.update, lambda text: None)
    start = time.perf_counter()
    step(learner, batch, indices, *rest)
    print(f"{name}: compiled in {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return Row(
        f"update of {name}, minibatch of {eager.MINIBATCH_SIZE}: eager, compiled",
        seconds(lambda: eager.update(learner, batch, indices, *rest)),
        seconds(lambda: step(learner, batch, indices, *rest)),
        "test_update.py::test_compiled_update_equals_eager",
    )


def fisher() -> Row:
    module = module_of("trpo/halfcheetah")
    batch, learner = random_batch(module), module.initial_learner(1)
    vector = torch.randn_like(learner.params)
    product = compile_step(module.fisher_product, lambda text: None)
    arguments = (learner.params, batch.observations, vector)
    return Row(
        f"Fisher product over {module.BATCH_SIZE}: eager, compiled",
        seconds(lambda: module.fisher_product(*arguments)),
        seconds(lambda: product(*arguments)),
        "test_trust_region.py::test_a_compiled_product_gives_the_same_step",
    )


def hoisting() -> Row:
    """Values and log-probabilities at each of 256 steps of 8, and once for all of them."""
    module = module_of("ppo/halfcheetah")
    p = module.runtime.unflatten(module.initial_learner(1).params, module.SHAPES)
    steps = torch.randn(256, 8, 17)
    actions = torch.randn(256, 8, 6)

    def evaluate(observations: Tensor, taken: Tensor) -> None:
        module.log_prob(module.actor(p, observations), p["log_std"], taken)
        module.critic(p, observations)

    def each() -> None:
        for observations, taken in zip(steps, actions, strict=True):
            evaluate(observations, taken)

    with torch.no_grad():
        return Row(
            "values and log-probabilities of 256 steps of 8: each step, once",
            seconds(each),
            seconds(lambda: evaluate(steps, actions)),
            "test_rollout.py::test_values_and_log_probs_of_a_rollout_are_those_at_each_step",
        )


def noise() -> Row:
    module = module_of("ppo/halfcheetah")
    rng = np.random.default_rng(0)
    return Row(
        "noise of 256 steps of 8: each step, once",
        seconds(lambda: [module.draw_noise(rng, 1, 8) for _ in range(256)]),
        seconds(lambda: module.draw_noise(rng, 256, 8)),
        "test_rollout.py::test_noise_drawn_at_once_is_that_drawn_at_each_step",
    )


def actor(num_envs: int, width: int = 64) -> Row:
    module = module_of("ppo/halfcheetah", f"networks.actor.layers=[{width}, {width}]")
    params = module.initial_learner(1).params
    p, w = (
        module.runtime.unflatten(params, module.SHAPES),
        module.runtime.as_arrays(params, module.SHAPES),
    )
    observations = np.random.default_rng(0).standard_normal((num_envs, 17), dtype=np.float32)
    draw = np.zeros((num_envs, 6), np.float32)

    def in_torch() -> np.ndarray:
        inputs, more = torch.as_tensor(observations), torch.as_tensor(draw)
        return (module.actor(p, inputs) + p["log_std"].exp() * more).numpy()

    with torch.no_grad():
        return Row(
            f"actions of {num_envs}, {width}×{width} network: in torch, in NumPy",
            seconds(in_torch),
            seconds(lambda: module.act(w, observations, draw)),
            "test_policy.py::test_numpy_actor_equals_torch_actor",
        )


def advantages(steps: int, num_envs: int) -> Row:
    module = module_of("ppo/halfcheetah")
    terms, decays = torch.randn(steps, num_envs), torch.rand(steps, num_envs)

    def loop() -> Tensor:
        sums, following = torch.empty_like(terms), torch.zeros(num_envs)
        for t in reversed(range(steps)):
            following = torch.addcmul(terms[t], decays[t], following)
            sums[t] = following
        return sums

    torch.testing.assert_close(loop(), module.discounted_sums(terms, decays))
    return Row(
        f"advantages of {steps} steps of {num_envs}: step by step, by doubling",
        seconds(loop),
        seconds(lambda: module.discounted_sums(terms, decays)),
        "test_gae.py::test_equals_stable_baselines3",
    )


def backends(env_id: str, num_envs: int, other: str, chosen: str) -> Row:
    taken = []
    for backend in (other, chosen):
        envs = make(env_id, num_envs, backend=backend)
        envs.action_space.seed(0)
        envs.reset(0)
        actions = np.array([envs.action_space.sample() for _ in range(num_envs)])
        taken.append(seconds(lambda envs=envs, actions=actions: envs.step(actions)))
        envs.close()
    what = f"a step of {num_envs} {env_id}: {other}, {chosen}"
    return Row(what, *taken, "test_envs.py")


def rollout(num_envs: int, backend: str) -> Row:
    """A time step of the environments and their policy, on the host and compiled on the device."""
    sizes = f"update={{rollout_steps: {32 * num_envs}, minibatch_size: {8 * num_envs}}}"
    count = f"env.num_envs={num_envs}"
    host = module_of("ppo/cartpole", count, sizes, f"env.backend={backend}")
    params = host.initial_parameters(1)
    envs = host.make_envs(num_envs)
    observations = envs.reset(0)
    noise = host.draw_noise(np.random.default_rng(0), 32, num_envs)
    w = host.runtime.as_arrays(params, host.SHAPES)
    without = seconds(lambda: host.collect(envs, w, observations, noise))
    envs.close()
    ours = module_of("ppo/cartpole", count, sizes, "training.compile=always")
    generator = torch.Generator().manual_seed(0)
    state, draws = ours.new_episodes(generator), ours.draw(generator)
    chunk = compile_step(ours.collect, lambda text: None)
    chosen = seconds(lambda: ours.collect_in_chunks(chunk, params, state, draws))
    return Row(
        f"a step of {num_envs} CartPole-v1 and their policy: {backend} and NumPy, on the device",
        without / 32,
        chosen / 32,
        "test_device_rollout.py::test_a_rollout_is_the_one_through_numpy",
    )


def chunks(other: int) -> Row:
    """A time step of 8 environments and their policy, compiled by so many, and by 4."""
    module = module_of("ppo/cartpole", "training.compile=always")
    params, generator = module.initial_parameters(1), torch.Generator().manual_seed(0)
    state, draws = module.new_episodes(generator), module.draw(generator)
    taken = []
    for steps in (other, module.CHUNK):
        few = module.Draws(*(x[:steps] for x in draws))
        chunk = compile_step(module.collect, lambda text: None)
        start = time.perf_counter()
        chunk(params, state, few)
        print(f"{steps} steps: compiled in {time.perf_counter() - start:.1f} s", file=sys.stderr)
        taken.append(seconds(lambda chunk=chunk, few=few: chunk(params, state, few)) / steps)
    what = f"a step of 8 CartPole-v1 and their policy: compiled by {other}, by {module.CHUNK}"
    return Row(what, *taken, "test_device_rollout.py::test_chunks_that_are_compiled_give_the_same")


def main() -> None:
    torch.set_num_threads(1)
    rows = [
        updates("ppo/halfcheetah"),
        updates("ppo/cartpole"),
        fisher(),
        hoisting(),
        noise(),
        *(actor(n) for n in (1, 8, 256, 1024)),
        actor(64, 1024),
        *(rollout(n, "gymnasium") for n in (1, 8)),
        *(rollout(n, "envpool") for n in (64, 512, 4096)),
        *(chunks(n) for n in (1, 8)),
        advantages(256, 8),
        advantages(2048, 1),
        backends("HalfCheetah-v5", 1, "envpool", "gymnasium"),
        backends("HalfCheetah-v5", 8, "gymnasium", "envpool"),
        backends("CartPole-v1", 1, "envpool", "gymnasium"),
        backends("CartPole-v1", 8, "envpool", "gymnasium"),
        backends("CartPole-v1", 64, "gymnasium", "envpool"),
        *(backends("CartPole-v1", n, "envpool", "torch") for n in (512, 4096)),
    ]
    lines = [
        "`OPENBLAS_NUM_THREADS=1 python benchmarks/passes.py`; microseconds, medians, two cores.",
        "",
        "| one way, then the chosen one | one way | chosen | gain | shown the same by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = (f"{row.without * 1e6:,.0f}", f"{row.chosen * 1e6:,.0f}")
        gain = f"{row.without / row.chosen:.1f}×"
        lines.append("| " + " | ".join((row.what, *cells, gain, row.tests)) + " |")
    text = "\n".join(lines) + "\n"
    (RESULTS / "passes.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
