"""`ppoc explain SPEC`: what a spec optimises, as mathematics with the numbers filled in."""

from ppoc.compiler.formula import Name
from ppoc.compiler.language import Advantage
from ppoc.compiler.notation import latex, unicode_text
from ppoc.compiler.objectives import Objective, policy_objective, value_objective, walk
from ppoc.compiler.resolve import Resolved


def explain(resolved: Resolved, *, tex: bool = False) -> str:
    """The objectives, the advantage and the whole loss of a spec, in Unicode or LaTeX."""
    spec = resolved.spec
    policy = policy_objective(spec)
    value = value_objective(spec) if spec.networks.critic is not None else None
    if tex:
        return _latex(resolved, policy, value)
    blocks = [
        f"{spec.name}: {spec.algorithm} on {spec.env.id}",
        _block("policy, maximised", policy),
        *([_block("value function, minimised", value)] if value else []),
        _advantage(spec.advantage),
        f"whole loss, minimised\n    {_total(resolved)}",
        _symbols(*(objective for objective in (policy, value) if objective)),
    ]
    return "\n\n".join(blocks)


def _advantage(advantage: Advantage) -> str:
    gamma, lam = advantage.gamma, advantage.lambda_
    if advantage.estimator == "gae":
        return (
            "advantage: generalised advantage estimation (Schulman et al. 2016, eq. 16)\n"
            "    δₜ = rₜ + γ V(sₜ₊₁) − V(sₜ),   Âₜ = δₜ + γλ Âₜ₊₁\n"
            f"    δₜ = rₜ + {gamma:g} V(sₜ₊₁) − V(sₜ),   Âₜ = δₜ + {gamma * lam:.6g} Âₜ₊₁\n"
            "    V(sₜ₊₁) is 0 after a terminal state, and kept after a time limit"
        )
    first = "0" if advantage.estimator == "return" else "t"
    baseline = " − their mean over the batch" if advantage.baseline == "mean" else ""
    return (
        f"advantage: {advantage.estimator}, of episodes that end within the iteration\n"
        f"    Âₜ = Σₖ γᵏ rₖ₊{first}{baseline},   γ = {gamma:g}"
    )


def _block(what: str, objective: Objective) -> str:
    text, filled = unicode_text(objective.tree), unicode_text(objective.tree, numbers=True)
    lines = [f"{what}: {objective.title} ({objective.source})", f"    E[{text}]"]
    if filled != text:
        lines.append(f"    E[{filled}]")
    return "\n".join(lines)


def _total(resolved: Resolved) -> str:
    losses = resolved.spec.losses
    critic = resolved.spec.networks.critic is not None
    text = "−policy" + (f" + {losses.value.coefficient:g}·value" if critic else "")
    if losses.entropy.beta:
        text += f" − {losses.entropy.beta:g}·entropy"
    return text


def _symbols(*objectives: Objective) -> str:
    rows = {}
    for objective in objectives:
        for node in walk(objective.tree):
            if isinstance(node, Name):
                value = node.symbol.value
                known = f" = {value:g}" if value is not None else ""
                rows[node.symbol.text + known] = node.symbol.meaning
    width = max(map(len, rows))
    return "where\n" + "\n".join(f"    {name:<{width}}  {text}" for name, text in rows.items())


def _latex(resolved: Resolved, policy: Objective, value: Objective | None) -> str:
    losses = resolved.spec.losses
    lines = [rf"L^{{\pi}}(\theta) &= \hat{{\mathbb{{E}}}}_t\left[{latex(policy.tree)}\right]"]
    total = r"L &= -L^{\pi}"
    if value is not None:
        lines.append(rf"L^{{V}}(\phi) &= \hat{{\mathbb{{E}}}}_t\left[{latex(value.tree)}\right]")
        total += rf" + {losses.value.coefficient:g}\,L^{{V}}"
    if losses.entropy.beta:
        total += rf" - {losses.entropy.beta:g}\,\mathcal{{H}}[\pi_\theta]"
    body = " \\\\\n".join([*lines, total])
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
