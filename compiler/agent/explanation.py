"""`ppoc explain SPEC`: what a spec optimises, as mathematics with the numbers filled in."""

from ppoc.compiler.agent.estimators import Buffer, Estimator, estimator_of
from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.language.optimizer import CrossEntropy, TrustRegion
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.agent.schedule_words import over_the_run, rows
from ppoc.compiler.formula.explanation import block, symbols
from ppoc.compiler.formula.notation import latex
from ppoc.compiler.formula.objectives import Objective
from ppoc.compiler.formula.schedules import latex as schedules_latex


def explain(resolved: ResolvedAgent, *, tex: bool = False) -> str:
    """The objectives, the advantage and the whole loss of a spec, in Unicode or LaTeX."""
    spec = resolved.spec
    if spec.optimizer.cross_entropy is not None:
        return _search_latex() if tex else _search(spec, spec.optimizer.cross_entropy)
    policy = spec.policy_objective
    value = spec.value_objective if spec.networks.critic is not None else None
    estimator, buffer = estimator_of(spec.advantage), spec.update.buffer
    products = buffer is not None and buffer.importance == "products"
    if tex:
        return _latex(resolved, policy, value)
    blocks = [
        f"{spec.name}: {spec.algorithm} on {spec.env.id}",
        block("policy, maximised", policy),
        *([block("value function, minimised", value)] if value else []),
        estimator.explained(spec.advantage, products),
        *([_buffer(buffer, estimator)] if buffer else []),
        _steps(spec),
        over_the_run(spec),
        symbols(*(objective for objective in (policy, value) if objective)),
    ]
    return "\n\n".join(blocks)


def _search(spec: AgentSpec, search: CrossEntropy) -> str:
    """The cross-entropy method, which has no loss."""
    elites = int(spec.env.num_envs * search.elite_fraction)
    return (
        f"{spec.name}: {spec.algorithm} on {spec.env.id}\n\n"
        "return, maximised by the cross-entropy method with noise (Szita and Lőrincz 2006)\n"
        "    θᵢ ~ N(μ, σ²),   μ ← mean of the elites,   σ² ← variance of the elites + noise²\n"
        f"    {spec.env.num_envs} candidates θᵢ a generation, one an environment, of which the "
        f"{elites} of the highest mean return\n    of an episode are the elites; σ starts at "
        f"{search.std_init:g}\n\n{over_the_run(spec)}"
    )


def _search_latex() -> str:
    return (
        "\\begin{align*}\n"
        r"\theta_i &\sim \mathcal{N}(\mu, \operatorname{diag}(\sigma^2)) \\" + "\n"
        r"\mu &\leftarrow \operatorname{mean}_{i \in \mathcal{E}} \theta_i, \quad "
        r"\sigma^2 \leftarrow \operatorname{var}_{i \in \mathcal{E}} \theta_i + z_t^2" + "\n"
        "\\end{align*}"
    )


def _buffer(buffer: Buffer, estimator: Estimator) -> str:
    """How samples of older policies count."""
    head = f"buffer: the newest {buffer.rollouts} rollouts, each of the policy μ that acted in it\n"
    if buffer.importance == "ratio":
        return (
            head + "    π_old is μ: one ratio a sample, and the advantage is that of one decision"
        )
    ratio = f"{head}    ρₜ = π(aₜ|sₜ) / μ(aₜ|sₜ) before the update"
    if estimator.sample_weight is None:
        return ratio
    limit = f", at most {buffer.clip:g}" if buffer.clip is not None else ""
    return f"{ratio} (Precup et al. 2000); each sample counts by {estimator.sample_weight}{limit}"


def _steps(spec: AgentSpec) -> str:
    """The steps of the parameters: one loss, or a constrained problem beside the critic's loss."""
    entropy = f" − {spec.losses.entropy.beta:g}·entropy" if spec.losses.entropy.beta else ""
    value = f"{spec.losses.value.coefficient:g}·value"
    region = spec.optimizer.trust_region
    if region is None:
        critic = f" + {value}" if spec.networks.critic is not None else ""
        return f"whole loss, minimised\n    −policy{critic}{entropy}"
    return f"{_region(region, entropy)}\n\ncritic's loss, minimised\n    {value}"


def _region(region: TrustRegion, entropy: str) -> str:
    bonus = entropy.replace("−", "+")
    return (
        "policy's step: constrained, once an iteration (Schulman et al. 2015, eq. 14)\n"
        f"    maximise policy{bonus}   subject to   E[KL(π_old, π)] ≤ {region.kl_limit:g}\n"
        f"    along x with (F + {region.damping:g} I) x = g, by {region.cg_iterations} conjugate-"
        "gradient iterations; F is Fisher's matrix, g the gradient\n"
        f"    by √(2·{region.kl_limit:g} / xᵀFx), then shorter by {region.backtrack_ratio:g} up to "
        f"{region.backtracks - 1} times until limit and improvement hold"
    )


def _latex(resolved: ResolvedAgent, policy: Objective, value: Objective | None) -> str:
    losses, region = resolved.spec.losses, resolved.spec.optimizer.trust_region
    lines = [rf"L^{{\pi}}(\theta) &= \hat{{\mathbb{{E}}}}_t\left[{latex(policy.tree)}\right]"]
    bonus = rf"{losses.entropy.beta:g}\,\mathcal{{H}}[\pi_\theta]" if losses.entropy.beta else ""
    weighed = rf"{losses.value.coefficient:g}\,L^{{V}}"
    if value is not None:
        lines.append(rf"L^{{V}}(\phi) &= \hat{{\mathbb{{E}}}}_t\left[{latex(value.tree)}\right]")
    if region is not None:
        surrogate = r"L^{\pi}(\theta)" + (f" + {bonus}" if bonus else "")
        limit = r"\overline{\mathrm{KL}}(\pi_{\theta_{\mathrm{old}}}, \pi_\theta)"
        lines.append(
            rf"\theta &\leftarrow \arg\max_\theta {surrogate} "
            rf"\quad \text{{subject to}} \quad {limit} \le {region.kl_limit:g}"
        )
        lines.append(rf"\phi &\leftarrow \arg\min_\phi {weighed}")
    else:
        critic = f" + {weighed}" if value is not None else ""
        lines.append(r"L &= -L^{\pi}" + critic + (f" - {bonus}" if bonus else ""))
    body = " \\\\\n".join([*lines, *schedules_latex(rows(resolved.spec))])
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
