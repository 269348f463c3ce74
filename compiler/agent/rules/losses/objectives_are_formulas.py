"""E201: objectives that are no formulas, and parameters that hide names of theirs."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.formula.objectives import reserved
from ppoc.compiler.formula.problems import formula_errors
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E201", "losses.policy.epsilon", "losses.policy.objective", "losses.policy.parameters")
def policy_objectives_are_formulas(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    """A policy's objective that is no formula, or makes no sense."""
    spec = resolved.spec
    text = spec.losses.policy.objective
    yield from formula_errors(resolved, "policy", text, lambda: spec.policy_objective.tree)


@rule(
    "E201",
    "advantage.estimator",
    "losses.value.clip",
    "losses.value.objective",
    "losses.value.parameters",
    "networks.critic",
)
def value_objectives_are_formulas(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    """A value function's objective that is no formula, or has no use for the clip range."""
    spec, value = resolved.spec, resolved.spec.losses.value
    if spec.networks.critic is None:
        return
    wrong = list(
        formula_errors(resolved, "value", value.objective, lambda: spec.value_objective.tree)
    )
    yield from wrong
    if not wrong and value.clip is not None and not spec.value_objective.uses("value_clip"):
        yield resolved.diagnostic(
            "E201",
            ("losses", "value", "clip"),
            "the formula of the value objective has no `value_clip`",
            help="set `clip: null`, or use `value_clip` in the formula",
        )


@rule("E201", "losses.policy.parameters", "losses.value.parameters")
def parameters_have_names_of_their_own(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    """A parameter that hides a name of formulas, or becomes the same constant as another."""
    losses = resolved.spec.losses
    for which, parameters in (
        ("policy", losses.policy.parameters),
        ("value", losses.value.parameters),
    ):
        constants: dict[str, str] = {}
        for name in parameters:
            first = constants.setdefault(name.upper(), name)
            if first == name and name not in reserved(which):
                continue
            what = f"differs from `{first}` in case only" if first != name else "has a meaning"
            yield resolved.diagnostic(
                "E201",
                ("losses", which, "parameters", name),
                f"the parameter `{name}` {what}",
                help="give it a name of its own",
            )
