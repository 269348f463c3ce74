"""E201: objectives that are no formulas, and parameters that hide names of theirs."""

from collections.abc import Iterator

from ppoc.compiler.formula.objectives import reserved
from ppoc.compiler.formula.problems import formula_errors
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.rlhf.resolved import RlhfResolved

LOSSES = ("ppo", "losses")


@rule(
    "E201",
    "ppo.losses.policy.epsilon",
    "ppo.losses.policy.objective",
    "ppo.losses.policy.parameters",
)
def policy_objectives_are_formulas(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    """A policy's objective that is no formula, or makes no sense."""
    ppo = resolved.spec.ppo
    text = ppo.losses.policy.objective
    yield from formula_errors(resolved, "policy", text, lambda: ppo.policy_objective.tree, LOSSES)


@rule("E201", "ppo.losses.value.clip", "ppo.losses.value.objective", "ppo.losses.value.parameters")
def value_objectives_are_formulas(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    """A value function's objective that is no formula, or has no use for the clip range."""
    ppo = resolved.spec.ppo
    value, clip = ppo.losses.value, (*LOSSES, "value", "clip")
    wrong = list(
        formula_errors(resolved, "value", value.objective, lambda: ppo.value_objective.tree, LOSSES)
    )
    yield from wrong
    own_clip = resolved.origin(clip).kind != "default"
    if not wrong and own_clip and value.clip and not ppo.value_objective.uses("value_clip"):
        yield resolved.diagnostic(
            "E201",
            clip,
            "the formula of the value objective has no `value_clip`",
            help="set `clip: null`, or use `value_clip` in the formula",
        )


@rule("E201", "ppo.losses.policy.parameters", "ppo.losses.value.parameters")
def parameters_have_names_of_their_own(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    """A parameter that hides a name of formulas, or becomes the same constant as another."""
    losses = resolved.spec.ppo.losses
    for which, parameters in (
        ("policy", losses.policy.parameters),
        ("value", losses.value.parameters),
    ):
        for name in parameters:
            alike = [other for other in parameters if other.upper() == name.upper()]
            if name in reserved(which) or alike[0] != name:
                yield resolved.diagnostic(
                    "E201",
                    (*LOSSES, which, "parameters", name),
                    f"the parameter `{name}` has a meaning, or differs from another in case only",
                    help="give it a name of its own",
                )
