"""The optimisers, against torch.optim, and the schedules, against their formulas."""

import csv
import math

import numpy as np
import pytest
import torch

from ppoc.runtime.run.launch import execute

B = 48
SMALL = ("networks.actor.layers=[8]", "networks.critic.layers=[8]")
PLAIN = ("losses.policy.schedule=constant", *SMALL)
KINDS = {
    "adam": ("{kind: adam, epsilon: 1e-4}", torch.optim.Adam, {"eps": 1e-4}),
    "adamw": (
        "{kind: adamw, weight_decay: 0.1, epsilon: 1e-4}",
        torch.optim.AdamW,
        {"weight_decay": 0.1, "eps": 1e-4},
    ),
    "rmsprop": (
        "{kind: rmsprop, decay: 0.95, epsilon: 1e-4}",
        torch.optim.RMSprop,
        {"alpha": 0.95, "eps": 1e-4},
    ),
    "sgd": ("{kind: sgd}", torch.optim.SGD, {}),
    "momentum": ("{kind: sgd, momentum: 0.9}", torch.optim.SGD, {"momentum": 0.9}),
}


def random_batch(module, seed):
    generator = torch.Generator().manual_seed(seed)
    columns = {name: torch.randn(B, generator=generator) for name in module.Batch._fields}
    columns["observations"] = torch.randn(B, 4, generator=generator)
    columns["actions"] = torch.randint(2, (B,), generator=generator)
    columns["log_probs"] = -columns["log_probs"].abs()
    return module.Batch(*columns.values())


@pytest.mark.parametrize("rates", ["one", "two"])
@pytest.mark.parametrize("kind", KINDS)
def test_ten_updates_are_those_of_torch_optim(module_of, kind, rates):
    """With the gradient clipped; actor and critic may have rates of their own."""
    text, peer, settings = KINDS[kind]
    critic = "{lr: 4e-3}" if rates == "two" else "{}"
    actor = f"{text[:-1]}, lr: 1e-3, schedule: constant}}"
    optimizer = f"optimizer={{actor: {actor}, critic: {critic}, max_grad_norm: 0.3}}"
    module = module_of("ppo/cartpole", *PLAIN, optimizer)
    learner = module.initial_learner(0)
    size = sum(math.prod(s) for name, s in module.SHAPES.items() if name.startswith("actor."))
    parts = [learner.params[:size].clone(), learner.params[size:].clone()]
    parts = [part.requires_grad_() for part in parts]
    lrs = (1e-3, 4e-3 if rates == "two" else 1e-3)
    theirs = peer([{"params": [x], "lr": lr} for x, lr in zip(parts, lrs, strict=True)], **settings)
    rate = [torch.cat([torch.full_like(x, lr) for x, lr in zip(parts, lrs, strict=True)]).detach()]
    for seed in range(10):
        batch = random_batch(module, seed)
        learner, metrics = module.update(learner, batch, torch.arange(B), *rate[: rates == "two"])
        theirs.zero_grad()
        module.loss(torch.cat(parts), batch)[0].backward()
        norm = torch.nn.utils.clip_grad_norm_(parts, 0.3)
        theirs.step()
        assert metrics[-1].item() == pytest.approx(norm.item(), rel=1e-4)
        assert norm > 0.3
    expected = torch.cat(parts).detach()
    torch.testing.assert_close(learner.params, expected, rtol=1e-5, atol=1e-6)
    assert (expected - module.initial_parameters(0)).abs().max() > 1e-3


POINTS = [[0, 0.5], [0.25, 1], [1, 0.1]]
FORMULAS = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: 0.5 * (1 + math.cos(math.pi * x)),
    str(POINTS): lambda x: float(np.interp(x, *np.transpose(POINTS))),
}
SHORT = (
    "training.total_steps=256",
    "update={rollout_steps: 32, minibatch_size: all, epochs: 1}",
    "evaluation.episodes=1",
)


@pytest.mark.parametrize("schedule", FORMULAS)
def test_what_is_logged_follows_the_schedule(module_of, tmp_path, schedule):
    module = module_of(
        "ppo/cartpole",
        *SHORT,
        f"optimizer={{actor: {{lr: 2e-3, schedule: {schedule}}}}}",
        f"losses.policy={{epsilon: 0.3, schedule: {schedule}}}",
        f"losses.value={{coefficient: 0.7, schedule: {schedule}}}",
        f"losses.entropy={{beta: 0.05, schedule: {schedule}}}",
    )
    execute(module, tmp_path, mode="quiet")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = {
        "learning_rate": 2e-3,
        "clip_range": 0.3,
        "value_coefficient": 0.7,
        "entropy_coefficient": 0.05,
    }
    for name, start in names.items():
        expected = [start * FORMULAS[schedule](n / 8) for n in range(8)]
        assert [float(row[name]) for row in rows] == pytest.approx(expected, rel=1e-6)


def test_a_constant_rate_is_a_constant_of_the_module(module_of, tmp_path):
    rate = "optimizer={actor: {lr: 2e-3, schedule: constant}}"
    module = module_of("ppo/cartpole", *SHORT, *PLAIN, rate)
    assert module.LEARNING_RATE == 2e-3
    execute(module, tmp_path, mode="quiet")
    assert "learning_rate" not in (tmp_path / "metrics.csv").read_text().splitlines()[0]


def test_the_scheduled_rate_is_the_one_that_is_taken(module_of):
    """Plain gradient descent moves by rate times gradient."""
    module = module_of(
        "ppo/cartpole",
        *PLAIN,
        "optimizer={actor: {kind: sgd, lr: 1e-2, schedule: cosine}, max_grad_norm: null}",
    )
    learner, batch = module.initial_learner(0), random_batch(module, 0)
    gradient = torch.func.grad(lambda x: module.loss(x, batch)[0])(learner.params)
    after, _ = module.update(learner, batch, torch.arange(B), torch.tensor(0.004))
    torch.testing.assert_close(after.params, learner.params - 0.004 * gradient)
