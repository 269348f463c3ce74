"""Checks of what a spec means, one function a rule; they need no environment."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ppoc.compiler.agent.checks.evaluation_checks import evaluations_play_whole_games
from ppoc.compiler.agent.checks.network_checks import NETWORK_CHECKS
from ppoc.compiler.agent.checks.search_checks import a_search_has_no_gradients
from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.last_iteration import total_steps_are_nearly_those_taken
from ppoc.compiler.formula.problems import formula_errors
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.source import INHERITED
from ppoc.compiler.front.suggest import nearest_divisors

if TYPE_CHECKING:
    from ppoc.compiler.agent.resolved import Resolved

Check = Callable[["Resolved"], Iterator[Diagnostic]]


def minibatches_divide_the_rollout(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E101: a compiled update has one shape, so every minibatch has the same size."""
    update = resolved.spec.update
    samples = update.rollout_steps * (update.buffer.rollouts if update.buffer else 1)
    if update.minibatch_size != "all" and samples % update.minibatch_size:
        sizes = nearest_divisors(samples, update.minibatch_size)
        what = "a buffer" if update.buffer else "a rollout"
        yield resolved.error(
            "E101",
            resolved.said(("update", "minibatch_size"), ("update", "rollout_steps")),
            f"minibatches of {update.minibatch_size} do not divide {what} of {samples} steps",
            why="every minibatch has the same size, so that the update compiles to one shape",
            help=f"the nearest sizes that do: {', '.join(map(str, sizes))}",
        )


def environments_divide_the_rollout(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E102: all environments take the same number of steps in a rollout."""
    steps, envs = resolved.spec.update.rollout_steps, resolved.spec.env.num_envs
    if steps % envs:
        near = sorted({max(1, steps // envs) * envs, (steps // envs + 1) * envs})
        yield resolved.error(
            "E102",
            resolved.said(("update", "rollout_steps"), ("env", "num_envs")),
            f"{envs} environments cannot share {steps} steps evenly",
            why="rollout_steps counts the steps of all environments together",
            help=f"the nearest numbers that they can: {', '.join(map(str, near))}",
        )


def advantages_need_two_samples(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E109: the standard deviation of one sample is not a number."""
    advantage, update = resolved.spec.advantage, resolved.spec.update
    whole = update.minibatch_size == "all"
    if advantage.normalize and (update.rollout_steps if whole else update.minibatch_size) == 1:
        yield resolved.error(
            "E109",
            ("update", "rollout_steps" if whole else "minibatch_size"),
            "advantages are normalised within a minibatch, and this one has one sample",
            help="take larger minibatches, or set advantage.normalize to false",
        )


def some_estimators_need_a_critic(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E104: GAE is a sum of TD errors, which are differences of values."""
    estimator = estimator_of(resolved.spec.advantage)
    if estimator.critic is not None and resolved.spec.networks.critic is None:
        yield resolved.error(
            "E104",
            resolved.said(("advantage", "estimator"), ("networks", "critic")),
            f"{estimator.name} needs a critic",
            why=f"{estimator.critic}, and `networks.critic` is null",
            help="give `networks.critic`, or use `estimator: reward-to-go`",
        )


def returns_have_no_critic(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E110: a critic that nothing reads, or a baseline that nothing subtracts."""
    spec = resolved.spec
    estimator = estimator_of(spec.advantage)
    if estimator.critic is None and spec.networks.critic is not None:
        yield resolved.error(
            "E110",
            ("networks", "critic"),
            f"nothing reads the critic: `{spec.advantage.estimator}` is computed from rewards",
            why="with a learned baseline, reward-to-go is GAE with λ = 1",
            help="set `networks.critic: null`, or use `estimator: gae` with `lambda: 1`",
        )
    if estimator.subtracts_values and spec.advantage.baseline != "none":
        yield resolved.error(
            "E110",
            ("advantage", "baseline"),
            f"{estimator.name} has a baseline already: the value function",
            help="remove `baseline`",
        )


def returns_need_whole_episodes(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E111: a return that the end of a rollout cuts short is no return."""
    spec = resolved.spec
    if estimator_of(spec.advantage).critic is None and spec.update.sampling != "episodes":
        yield resolved.error(
            "E111",
            resolved.said(("advantage", "estimator"), ("update", "sampling")),
            f"`{spec.advantage.estimator}` needs whole episodes",
            why="without a critic nothing stands for the rewards after the end of a rollout",
            help="set `update.sampling: episodes`",
        )


def a_trust_region_needs_a_critic_of_its_own(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E112: the policy's step and the critic's steps must not move the same parameters."""
    spec = resolved.spec
    if spec.optimizer.trust_region is None:
        return
    critic = spec.networks.critic
    if critic is None or critic.share is not None:
        yield resolved.error(
            "E112",
            ("optimizer", "trust_region"),
            "a trust region needs a critic with a network of its own",
            why="the critic's gradient steps would move a shared network out of the trust region",
            help="give `networks.critic` its own layers",
        )
    if spec.update.target_kl is not None:
        yield resolved.error(
            "E112",
            ("update", "target_kl"),
            "a trust region has its own KL limit, so target_kl means nothing",
            help="set `optimizer.trust_region.kl_limit` and remove `target_kl`",
        )


def adaptive_values_have_a_target(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E113: a value that follows the KL divergence needs a target, a target a value."""
    optimizer, policy = resolved.spec.optimizer, resolved.spec.losses.policy
    if policy.kl_target is not None and "kl_weight" not in policy.parameters:
        yield resolved.error(
            "E113",
            ("losses", "policy", "kl_target"),
            "kl_target moves the parameter kl_weight, and there is none",
            help="use `objective: kl-penalty` with `parameters: {kl_weight: 1.0}`",
        )
    if policy.kl_target is not None and optimizer.trust_region is not None:
        yield resolved.error(
            "E113",
            ("losses", "policy", "kl_target"),
            "a trust region has its own KL limit, so kl_target means nothing",
            help="remove `kl_target`, or `optimizer.trust_region`",
        )
    actor, critic = optimizer.actor, optimizer.critic
    path = ("optimizer", "actor", "schedule")
    if actor.schedule == "adaptive" and actor.kl_target is None:
        help = "add `kl_target: 0.01` beside it"
        yield resolved.error("E113", path, "an adaptive rate needs a kl_target", help=help)
    for name, one in (("actor", actor), ("critic", critic)):
        target = ("optimizer", name, "kl_target")
        if one.kl_target is None or one.schedule == "adaptive":
            continue
        if resolved.origin(target).kind != INHERITED:
            yield resolved.error(
                "E113",
                target,
                f"kl_target means nothing to a rate that is {one.schedule}",
                help=f"set `kl_target: null`{', or `schedule: adaptive`' * (name == 'actor')}",
            )
    adaptive_region = actor.schedule == "adaptive" and optimizer.trust_region is not None
    if critic.schedule == "adaptive" or adaptive_region:
        yield resolved.error(
            "E113",
            ("optimizer", "critic", "schedule") if critic.schedule == "adaptive" else path,
            "only the rate of a policy that takes gradient steps follows its KL divergence",
            help="take `schedule: constant` or `linear`",
        )


def a_buffer_is_weighed(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E115: samples of an older policy count only by their importance."""
    from ppoc.compiler.formula.objectives import policy_objective
    from ppoc.compiler.formula.parser import FormulaError

    spec, buffer = resolved.spec, resolved.spec.update.buffer
    estimator = estimator_of(spec.advantage)
    for refusal in estimator.refuses(buffer):
        where, what = refusal.path, refusal.message
        yield resolved.error("E115", where, what, why=refusal.why, help=refusal.help)
    if buffer is None or buffer.importance == "products":
        return
    place = ("update", "buffer", "importance")
    if buffer.clip is not None:
        yield resolved.error(
            "E115",
            ("update", "buffer", "clip"),
            "`clip` limits products, and there are none",
            help="set `importance: products`, or clip the ratio in the objective",
        )
    if not estimator.one_decision(spec.advantage):
        yield resolved.error(
            "E115",
            place,
            "one ratio a sample corrects one decision, and the advantage spans several",
            help="set `estimator: gae` with `lambda: 0`, or `importance: products`",
        )
    try:
        weighed = policy_objective(spec).uses("ratio")
    except FormulaError:  # told by another check
        return
    if not weighed:
        yield resolved.error(
            "E115",
            place,
            f"nothing weighs old samples: `{spec.losses.policy.objective}` has no ratio",
            help="use an objective with `ratio` in it, or `importance: products`",
        )


def objectives_are_formulas(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E201: an objective that is no formula, or makes no sense."""
    from ppoc.compiler.formula.objectives import policy_objective, value_objective

    spec, losses = resolved.spec, resolved.spec.losses
    yield from formula_errors(
        resolved, "policy", losses.policy.objective, lambda: policy_objective(spec).tree
    )
    if resolved.spec.networks.critic is None:
        return
    wrong = list(
        formula_errors(
            resolved, "value", losses.value.objective, lambda: value_objective(spec).tree
        )
    )
    yield from wrong
    if wrong or losses.value.clip is None:
        return
    if not value_objective(resolved.spec).uses("value_clip"):
        yield resolved.error(
            "E201",
            ("losses", "value", "clip"),
            "the formula of the value objective has no `value_clip`",
            help="set `clip: null`, or use `value_clip` in the formula",
        )


def parameters_have_names_of_their_own(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E201: a parameter that hides a name of formulas, or becomes the same constant as another."""
    from ppoc.compiler.formula.objectives import reserved

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
            yield resolved.error(
                "E201",
                ("losses", which, "parameters", name),
                f"the parameter `{name}` {what}",
                help="give it a name of its own",
            )


CHECKS: tuple[Check, ...] = (
    minibatches_divide_the_rollout,
    environments_divide_the_rollout,
    advantages_need_two_samples,
    some_estimators_need_a_critic,
    returns_have_no_critic,
    returns_need_whole_episodes,
    a_trust_region_needs_a_critic_of_its_own,
    adaptive_values_have_a_target,
    a_buffer_is_weighed,
    a_search_has_no_gradients,
    total_steps_are_nearly_those_taken,
    objectives_are_formulas,
    parameters_have_names_of_their_own,
    evaluations_play_whole_games,
    *NETWORK_CHECKS,
)
