"""`ppoc explain SPEC` of `kind: rlhf`: what each step optimises, with the numbers filled in."""

from collections.abc import Iterator

from ppoc.compiler.formula import schedules
from ppoc.compiler.formula.explanation import block, symbols
from ppoc.compiler.formula.notation import latex
from ppoc.compiler.formula.schedules import Row
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.language.ppo import Kl, Ppo
from ppoc.compiler.rlhf.language.stages import Reward
from ppoc.compiler.rlhf.memory import GIB, memory
from ppoc.compiler.rlhf.pretrained import known_sizes
from ppoc.compiler.rlhf.resolved import RlhfResolved
from ppoc.compiler.rlhf.sizes import parameters

ESTIMATORS = {
    "k1": ("log ρₜ", r"\log\rho_t"),
    "k2": ("(log ρₜ)² / 2", r"\tfrac{1}{2}(\log\rho_t)^2"),
    "k3": ("1/ρₜ − 1 + log ρₜ", r"\rho_t^{-1} - 1 + \log\rho_t"),
}


def explain(resolved: RlhfResolved, *, tex: bool = False) -> str:
    """The objectives of the stages of a spec, in Unicode or LaTeX."""
    spec = resolved.spec
    if tex:
        return _latex(spec)
    blocks = [f"{spec.name}: {', then '.join(spec.stages)}, of {_model(resolved)}"]
    if "sft" in spec.stages:
        blocks.append(_sft(spec))
    if "reward" in spec.stages:
        blocks.append(_reward(spec.reward))
    if "ppo" in spec.stages:
        blocks += _ppo(spec.ppo)
    if changing := _changing(spec):
        unit = "updates done in a stage (in ppo, of iterations)"
        blocks.append(schedules.block("over a stage", changing, unit))
    return "\n\n".join(blocks)


def _model(resolved: RlhfResolved) -> str:
    """The model in words, with what is known of its size."""
    model = resolved.spec.model
    name = model.id or f"a new {model.config.architecture if model.config else 'model'}"
    sizes = known_sizes(resolved)
    if sizes is None:
        return name
    needed = memory(resolved, sizes)
    return (
        f"{name}\n    {parameters(sizes):,} parameters; about {needed.total / GIB:.2g} GiB in "
        f"{needed.stage}, which takes most"
    )


def _changing(spec: RlhfSpec) -> list[Row]:
    return [row for stage in spec.stages for row in _rates(spec, stage)]


def _rates(spec: RlhfSpec, stage: str) -> Iterator[Row]:
    """The learning rates of a stage that change."""
    optimizer = getattr(spec, stage).optimizer
    if optimizer.schedule == "constant" and not optimizer.warmup:
        return
    rates = {f"{stage}'s learning rate": optimizer.lr}
    if stage == "ppo" and spec.ppo.value_optimizer is not None:
        rates["the value function's"] = spec.ppo.value_optimizer.lr
    for name, rate in rates.items():
        yield Row(name, rate, optimizer.schedule, warmup=optimizer.warmup)


def _sft(spec: RlhfSpec) -> str:
    over = "responses" if spec.sft.loss_on == "response" else "prompts and responses"
    return (
        "sft, minimised: the negative log-likelihood of demonstrations (Ouyang et al. 2022, "
        f"section 3.5)\n    −E[log π(aₜ|sₜ)], the mean over tokens of {over}\n"
        "    sₜ is the text before token aₜ"
    )


def _reward(reward: Reward) -> str:
    margin = f" − {reward.margin:g}" if reward.margin else ""
    center = f" + {reward.center:g} E[score²]" if reward.center else ""
    if reward.objective == "pairs":
        return (
            "reward model, minimised: Bradley and Terry 1952 (Ouyang et al. 2022, eq. 1)\n"
            f"    −E[log σ(score(x, y⁺) − score(x, y⁻){margin})]{center}\n"
            "    y⁺ is preferred to y⁻; a ranking counts as the mean of its pairs"
        )
    higher = f"; those left are {reward.margin:g} higher" if reward.margin else ""
    return (
        "reward model, minimised: Plackett 1975, Luce 1959\n"
        f"    −E[Σₖ (score(x, yₖ) − log Σⱼ≥ₖ exp score(x, yⱼ))]{center}\n"
        f"    y₁ is the best{higher}"
    )


def _ppo(ppo: Ppo) -> list[str]:
    policy, value = ppo.policy_objective, ppo.value_objective
    losses, advantage = ppo.losses, ppo.advantage
    entropy = f" − {losses.entropy.beta:g}·entropy" if losses.entropy.beta else ""
    decay = advantage.gamma * advantage.lambda_
    gamma = "" if advantage.gamma == 1 else f"{advantage.gamma:g} "
    further = f" + {decay:.6g} Âₜ₊₁" if decay else ""
    return [
        _rewards(ppo),
        "advantage: generalised advantage estimation over tokens (Schulman et al. 2016, eq. 16)\n"
        f"    δₜ = rewardₜ + {gamma}V(sₜ₊₁) − V(sₜ),   Âₜ = δₜ{further}\n"
        "    V is 0 after the last token" + ("; whitened over a rollout" * advantage.whiten),
        block("policy, maximised over tokens", policy),
        block("value function, minimised over tokens", value),
        f"whole loss, minimised\n    −policy + {losses.value.coefficient:g}·value{entropy}",
        symbols(policy, value),
    ]


def _rewards(ppo: Ppo) -> str:
    estimate = ESTIMATORS[ppo.kl.estimator][0]
    rewards = ppo.rewards
    penalty = estimate if ppo.kl.estimator == "k1" else f"({estimate})"
    lines = [
        "reward of a token (Ziegler et al. 2019, eq. 2)",
        f"    rewardₜ = −β {penalty}, and the last token earns the score too",
        "    ρₜ = π(aₜ|sₜ) / π_ref(aₜ|sₜ), π_ref the policy that ppo starts from",
        f"    {_beta(ppo.kl)}",
    ]
    score = "(score(x, y) − its mean) / its deviation over the first policy's responses"
    text = score if rewards.normalize else "score(x, y)"
    clip = f", clipped to ±{rewards.clip:g}" if rewards.clip is not None else ""
    lines.append(f"    the score is {text}{clip}")
    if rewards.missing_end is not None:
        lines.append(f"    and {rewards.missing_end:g} of a response that does not end")
    return "\n".join(lines)


def _beta(kl: Kl) -> str:
    if kl.target is None:
        return f"β = {kl.beta:g}"
    return (
        f"β starts at {kl.beta:g}; β ← β (1 + e n / {kl.horizon}) after n responses, "
        f"e = clip(KL / {kl.target:g} − 1, −0.2, 0.2)"
    )


def _latex(spec: RlhfSpec) -> str:
    lines = []
    if "sft" in spec.stages:
        lines.append(r"L^{\mathrm{SFT}} &= -\hat{\mathbb{E}}_t\left[\log\pi(a_t|s_t)\right]")
    if "reward" in spec.stages:
        margin = f" - {spec.reward.margin:g}" if spec.reward.margin else ""
        score = r"\operatorname{score}"
        body = rf"\log\sigma\left({score}(x, y^+) - {score}(x, y^-){margin}\right)"
        if spec.reward.objective != "pairs":
            body = rf"\sum_k {score}(x, y_k) - \log\sum_{{j\ge k}} \exp {score}(x, y_j)"
        center = rf" + {spec.reward.center:g}\,\hat{{\mathbb{{E}}}}\left[{score}^2\right]"
        lines.append(
            rf"L^r &= -\hat{{\mathbb{{E}}}}\left[{body}\right]" + center * bool(spec.reward.center)
        )
    if "ppo" in spec.stages:
        ppo = spec.ppo
        policy, value = ppo.policy_objective, ppo.value_objective
        estimate = ESTIMATORS[ppo.kl.estimator][1]
        bonus = rf" - {ppo.losses.entropy.beta:g}\,\mathcal{{H}}[\pi_\theta]"
        lines += [
            rf"\mathrm{{reward}}_t &= -\beta\left({estimate}\right) + "
            r"\mathbb{1}[t = T]\,\operatorname{score}(x, y), \quad "
            r"\rho_t = \pi(a_t|s_t) / \pi_{\mathrm{ref}}(a_t|s_t)",
            rf"L^{{\pi}}(\theta) &= \hat{{\mathbb{{E}}}}_t\left[{latex(policy.tree)}\right]",
            rf"L^{{V}}(\phi) &= \hat{{\mathbb{{E}}}}_t\left[{latex(value.tree)}\right]",
            rf"L &= -L^{{\pi}} + {ppo.losses.value.coefficient:g}\,L^{{V}}"
            + bonus * bool(ppo.losses.entropy.beta),
        ]
    body = " \\\\\n".join([*lines, *schedules.latex(_changing(spec))])
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
