"""`ppoc explain` of a spec of `kind: rlhf`: its stages, with its numbers."""

import pytest

from ppoc.compiler.resolve import resolve
from ppoc.compiler.rlhf.explanation import explain
from zoo import ROOT

TINY = ROOT / "specs" / "rlhf" / "tiny.yaml"


def explained(*overrides, tex=False):
    return explain(resolve(TINY, overrides), tex=tex)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("name=a", "a: sft, then reward, then ppo, of a new gpt2"),
        ("name=a", "    −E[log σ(score(x, y⁺) − score(x, y⁻))] + 0.01 E[score²]"),
        ("reward.margin=0.5", "score(x, y⁻) − 0.5)]"),
        ("reward.center=0", "score(x, y⁻))]\n"),
        ("reward.objective=plackett-luce", "Plackett 1975, Luce 1959"),
        ("sft.loss_on=all", "over tokens of prompts and responses"),
        ("ppo.kl.estimator=k2", "    rewardₜ = −β ((log ρₜ)² / 2), and"),
        ("ppo.kl.target=null", "    β = 0.2\n"),
        ("ppo.kl.horizon=10000", "β ← β (1 + e n / 10000)"),
        ("ppo.kl.target=6", "e = clip(KL / 6 − 1, −0.2, 0.2)"),
        ("ppo.advantage.gamma=0.9", "rewardₜ + 0.9 V(sₜ₊₁) − V(sₜ),   Âₜ = δₜ + 0.855 Âₜ₊₁"),
        ("ppo.losses.policy.epsilon=0.1", "clip(r, 0.9, 1.1)·Â"),
        ("ppo.losses.entropy.beta=0.01", "−policy + 0.1·value − 0.01·entropy"),
        ("ppo.rewards={normalize: false, clip: 3}", "the score is score(x, y), clipped to ±3"),
        ("ppo.rewards.missing_end=-2", "and -2 of a response that does not end"),
    ],
)
def test_it_says_what_the_spec_says(override, line):
    assert line in explained(override)


def test_stages_that_are_left_out_are_not_explained():
    text = explained("stages=[sft]")
    assert "demonstrations" in text
    assert "reward" not in text
    assert "policy" not in text


def test_latex_is_balanced():
    for overrides in ((), ("reward.objective=plackett-luce",), ("ppo.kl.estimator=k3",)):
        text = explained(*overrides, tex=True)
        assert text.count("{") == text.count("}")
        assert text.count(r"\left") == text.count(r"\right")
        assert text.startswith("\\begin{align*}\n")
