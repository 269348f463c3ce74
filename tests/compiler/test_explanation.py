"""`ppoc explain` shows how long a run is, and what changes over it."""

import pytest

from ppoc.compiler.agent.explanation import explain
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.compiler.rlhf.explanation import explain as explain_rlhf
from zoo import ROOT

HEAD = "ppoc: 1\nalgorithm: {}\nname: a\nenv: {{id: CartPole-v1, num_envs: 8}}\n"


def explained(*overrides, algorithm="ppo", tex=False):
    return explain(resolve_text(HEAD.format(algorithm), "spec.yaml", overrides), tex=tex)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            "name=a",
            "over the run: 1,000,000 environment steps, 488 iterations of 2,048 and one of 576",
        ),
        ("optimizer.actor.schedule=linear", "    learning rate: 0.0003·(1 − t), from 0.0003 to 0"),
        ("optimizer.actor.schedule=cosine", "    learning rate: 0.0003·½(1 + cos πt), from 0.0003"),
        (
            "optimizer={actor: {schedule: linear}, critic: {schedule: constant}}",
            "    actor's learning rate: 0.0003·(1 − t)",
        ),
        (
            "optimizer={critic: {schedule: linear, lr: 1e-3}}",
            "    critic's learning rate: 0.001·(1 − t), from 0.001 to 0",
        ),
        (
            "optimizer.actor={schedule: adaptive, kl_target: 0.02}",
            "starts at 0.0003, divided by 1.5 after an iteration whose KL is above 0.04, "
            "multiplied by 1.5 after one whose KL is below 0.01",
        ),
        ("losses.policy.schedule=linear", "    clip range ε: 0.2·(1 − t), from 0.2 to 0"),
        (
            "losses.policy.schedule=[[0, 1], [1, 0.5]]",
            "    clip range ε: 0.2 at t = 0, 0.1 at t = 1, straight lines between",
        ),
        ("losses.value.schedule=linear", "    value coefficient: 0.5·(1 − t)"),
        (
            "losses.entropy={beta: 0.01, schedule: linear}",
            "    entropy coefficient β: 0.01·(1 − t)",
        ),
    ],
)
def test_what_changes_is_shown(override, line):
    text = explained(override)
    assert line in text
    follows = "adaptive" in override or override == "name=a"
    assert ("t is the share of iterations done" in text) != follows


def test_what_an_algorithm_does_not_have_does_not_change():
    trpo = explained("losses.policy.schedule=linear", algorithm="trpo")
    assert "clip range" not in trpo
    assert "entropy" not in explained("losses.entropy.schedule=linear")
    search = explained("env.num_envs=32", algorithm="cem")
    assert "    noise: 0.2·(1 − t), from 0.2 to 0" in search
    weight = explained(algorithm="ppo-kl-adaptive")
    assert "kl_weight: starts at 1, doubled after an iteration whose KL is above 0.015" in weight


def test_stages_have_schedules_too():
    overrides = (
        "sft.optimizer={lr: 1e-4, schedule: cosine, warmup: 0.1}",
        "ppo.optimizer={lr: 2e-4, schedule: linear}",
        "ppo={value: separate, value_optimizer: {lr: 1e-3}}",
    )
    spec = resolve(ROOT / "specs" / "rlhf" / "tiny.yaml", overrides)
    text, tex = explain_rlhf(spec), explain_rlhf(spec, tex=True)
    sft = "    sft's learning rate: 0.0001·½(1 + cos πt), from 0.0001 to 0"
    assert f"{sft}, times min(1, t / 0.1)\n" in text
    assert "    the value function's: 0.001·(1 − t), from 0.001 to 0\n" in text
    assert r"\text{ppo's learning rate} &= 0.0002\,(1 - t)" in tex
    assert "over a stage" not in explain_rlhf(
        resolve(
            ROOT / "specs" / "rlhf" / "tiny.yaml",
            [f"{s}.optimizer={{schedule: constant, warmup: 0}}" for s in ("sft", "reward", "ppo")],
        )
    )


def test_latex_has_them():
    tex = explained("optimizer.actor.schedule=linear", "losses.policy.schedule=cosine", tex=True)
    assert r"\text{learning rate} &= 0.0003\,(1 - t) \\" in tex
    assert r"\text{clip range} &= 0.2\cdot\tfrac{1}{2}(1 + \cos \pi t)" in tex
    assert tex.count("{") == tex.count("}")
