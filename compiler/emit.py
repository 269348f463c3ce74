"""The emitter: a plan becomes the source text of a training module."""

import ast
import re
import textwrap
from importlib.metadata import version
from typing import Any

import jinja2

from ppoc.compiler.constants import Constant, bounded, constants, split_epsilon
from ppoc.compiler.literals import Code, identifier, literal, prose
from ppoc.compiler.notation import statements, unicode_text
from ppoc.compiler.objectives import Objective
from ppoc.compiler.plan import Plan
from ppoc.compiler.schedules import scheduled

WIDTH = 100


def emit(plan: Plan) -> str:
    """The module of a plan. The same plan gives the same bytes.

    Raises:
        RuntimeError: the text is not Python or its constants are not the plan's: a compiler bug.
    """
    groups = list(constants(plan))
    text = _environment().get_template("module.py.jinja").render(_context(plan, groups))
    text = re.sub(r"\n{4,}", "\n\n\n", text).rstrip("\n") + "\n"
    expected = {c.name: c.value for group in groups for c in group}
    _verify(text, {**expected, "SHAPES": dict(plan.networks.shapes())})
    return text


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ppoc.templates", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        finalize=_only_code,
    )
    environment.filters.update(literal=literal, prose=prose, assignment=_assignment)
    environment.globals.update(fit=fit)
    return environment


def _only_code(value: Any) -> Any:
    """Let nothing into a module but what a filter or the compiler itself made into code."""
    if isinstance(value, Code):
        return value
    raise TypeError(f"unchecked value in a template: {value!r}")


def _assignment(constant: Constant) -> Code:
    name, value = identifier(constant.name), constant.value
    note = f"  # {prose(constant.note)}" if constant.note else ""
    line = f"{name} = {literal(value)}{note}"
    if len(line) <= WIDTH or not isinstance(value, tuple | dict):
        return Code(line)
    if isinstance(value, tuple):
        items = [literal(item) for item in value]
        return Code(f"{name} = ({note}\n" + "".join(f"    {item},\n" for item in items) + ")")
    items = [Code(f"{literal(key)}: {literal(item)}") for key, item in value.items()]
    return Code(f"{name} = {{{note}\n" + "".join(f"    {item},\n" for item in items) + "}")


def fit(prefix: str, fixed: str, more: list[Code], suffix: str, indent: int = 0) -> Code:
    """A call or signature on one line where it fits, else broken as the usual formatters do.

    `prefix`, `fixed` arguments and `suffix` are the template's own text.
    """
    arguments = [*fixed.split(", "), *(_only_code(argument) for argument in more)]
    pad, joined = " " * indent, ", ".join(arguments)
    if indent + len(prefix + joined + suffix) <= WIDTH:
        return Code(prefix + joined + suffix)
    if indent + 4 + len(joined) <= WIDTH:
        return Code(f"{prefix}\n{pad}    {joined}\n{pad}{suffix}")
    lines = "".join(f"{pad}    {argument},\n" for argument in arguments)
    return Code(f"{prefix}\n{lines}{pad}{suffix}")


def _context(plan: Plan, groups: list[list[Constant]]) -> dict[str, Any]:
    """What the templates see: flags to branch on, and text that is code already."""
    spec, facts, networks = plan.spec, plan.facts, plan.networks
    rows = scheduled(plan)
    of_loss = [row.argument for row in rows if row.of_loss]
    region = spec.optimizer.trust_region is not None
    # A trust region takes the policy's objective out of the loss, and its arguments with it.
    of_update = [row.argument for row in rows if not (region and row.of_loss)]
    typed = [Code(f"{name}: Tensor") for name in of_loss]
    renamed = {str(row.constant): row.argument for row in rows if row.of_loss}
    names = {str(row.argument): row.argument for row in rows}
    discrete, normalize = plan.discrete, spec.env.normalize
    observations = "normalize(observations)" if normalize.observations else "observations"
    return {
        # Flags
        "discrete": discrete,
        "shared": networks.shared,
        "normalize_observations": normalize.observations,
        "normalize_rewards": normalize.rewards,
        "normalize_advantages": spec.advantage.normalize,
        "old_values": plan.has_critic and plan.value_objective.uses("V_old"),
        "clips_ratio": plan.policy_objective.clips_ratio,
        "entropy_bonus": spec.losses.entropy.beta > 0,
        "max_grad_norm": spec.optimizer.max_grad_norm is not None,
        "split_epsilon": split_epsilon(plan),
        "critic": plan.has_critic,
        "searches": plan.searches,
        "trust_region": spec.optimizer.trust_region is not None,
        "uses_kl": not region or plan.policy_objective.uses("kl"),
        "uses_ratio": not region or any(plan.policy_objective.uses(x) for x in ("ratio", "kl")),
        "advantage": {"gae": "advantage_gae.jinja", "q": "advantage_q.jinja"}.get(
            spec.advantage.estimator, "advantage_returns.jinja"
        ),
        "q": plan.learns_action_values,
        "residuals": Code("residuals" if plan.learns_action_values else "batch.advantages"),
        "next_noise": plan.learns_action_values and not plan.discrete,
        "estimator": spec.advantage.estimator,
        "baseline": spec.advantage.baseline == "mean",
        "episodes": spec.update.sampling == "episodes",
        "buffer": spec.update.buffer is not None,
        "products": plan.weighs_decisions,
        "clips_importance": plan.clips_importance,
        "target_kl": spec.update.target_kl is not None,
        "compile_update": plan.compile_update,
        "compile_fisher": plan.compile_fisher,
        "single_thread": plan.single_thread,
        "on_device": plan.device_rollout,
        "compile_rollout": plan.compile_rollout,
        "evaluate_every": spec.evaluation.every is not None,
        "evaluation_deterministic": spec.evaluation.deterministic,
        "remaining_used": any("remaining" in line for row in rows for line in row.lines),
        # Text
        "title": _title(plan),
        "shapes_note": _shapes_note(plan),
        "torch_functions": Code(", ".join(_torch_functions(plan))),
        "constants": groups,
        "shapes": networks.shapes(),
        "initialisers": networks.initialisers(),
        "networks": [] if plan.searches else networks.functions(),
        "act": networks.numpy_actor("observations", stacked=plan.searches),
        "observation_size": facts.observation_size,
        "action_size": facts.action_size,
        "features": Code("features" if networks.shared else "batch.observations"),
        "at": Code("features" if networks.shared else "observations"),
        "at_next": Code("next_features" if networks.shared else "next_observations"),
        "policy_input": Code("body(p, observations)" if networks.shared else "observations"),
        "act_input": Code(observations),
        "device_act_input": Code(observations.replace(")", ", scaling)")),
        "collect_arguments": [
            *([Code("moments.scaling()")] if normalize.observations else []),
            Code("draw(generator)"),
        ],
        "time_limit": Code(
            "dynamics.max_episode_steps"
            if spec.env.max_episode_steps is None
            else "MAX_EPISODE_STEPS"
        ),
        "bounded": bounded(plan),
        "env_arguments": _env_arguments(plan),
        "stacked": _stacked_metrics(plan),
        "metrics": _metric_names(plan),
        "policy_comment": _objective_comment(plan.policy_objective, "Maximise"),
        "policy_lines": statements(plan.policy_objective.tree, "objective", renamed),
        "value_comment": _objective_comment(plan.value_objective, "Minimise"),
        "value_lines": statements(plan.value_objective.tree, "error", {}),
        "num_samples": Code("NUM_SAMPLES" if spec.update.buffer else "BATCH_SIZE"),
        "entropy_coefficient": names.get("entropy_coefficient", Code("ENTROPY_COEFFICIENT")),
        "learning_rate": names.get("learning_rate", Code("LEARNING_RATE")),
        "adam_epsilon": Code("epsilon" if split_epsilon(plan) else "ADAM_EPSILON"),
        "scheduled": rows,
        "adaptive": [row for row in rows if row.adaptive],
        "update_arguments": of_update,
        "loss_arguments": [] if region else of_loss,
        "policy_arguments": of_loss,
        "step_arguments": [*of_loss, Code("multiply")],
        "typed_update_arguments": [Code(f"{name}: Tensor") for name in of_update],
        "typed_loss_arguments": [] if region else typed,
        "typed_policy_arguments": typed,
        "typed_step_arguments": [
            *typed,
            Code("multiply: Callable[..., Tensor] = fisher_product"),
        ],
    }


def _metric_names(plan: Plan) -> tuple[str, ...]:
    """What `update` measures, in order."""
    if plan.spec.optimizer.trust_region is not None:
        return ("value_loss", "grad_norm")
    clip = ("clip_fraction",) if plan.policy_objective.clips_ratio else ()
    value = ("value_loss",) if plan.has_critic else ()
    return ("policy_loss", *value, "entropy", "approx_kl", *clip, "grad_norm")


def _stacked_metrics(plan: Plan) -> Code:
    sources = {"entropy": "mean_entropy", "approx_kl": "kl.mean()"}
    return Code(", ".join(sources.get(name, name) for name in _metric_names(plan)[:-1]))


def _title(plan: Plan) -> Code:
    method = "the cross-entropy method" if plan.searches else _method(plan)
    text = f"{plan.spec.name}: {method} on {plan.facts.env_id}, written by ppoc {version('ppoc')}."
    return Code(textwrap.fill(prose(text), WIDTH, initial_indent="   ")[3:])


def _method(plan: Plan) -> str:
    estimator = {"gae": "GAE", "return": "returns", "q": "action values"}.get(
        plan.spec.advantage.estimator
    )
    return f"{plan.policy_objective.title} with {estimator or 'reward-to-go'}"


def _objective_comment(objective: Objective, verb: str) -> list[Code]:
    text = f"{verb} E[{unicode_text(objective.tree)}]: {objective.title} ({objective.source})"
    return [Code(line) for line in textwrap.wrap(prose(text), WIDTH - 6)]


def _torch_functions(plan: Plan) -> list[str]:
    bodies = (plan.networks.actor, plan.networks.critic)
    used = {body.activation for body in bodies if body and body.layers}
    extra = {"log_softmax"} if plan.discrete else set()
    return sorted({"linear", *extra, *(used & {"elu", "silu"})})


def _shapes_note(plan: Plan) -> Code:
    facts = plan.facts
    rollouts = plan.spec.update.buffer
    buffer = f"K = {rollouts.rollouts} rollouts in the buffer, " if rollouts else ""
    actions = "actions" if plan.discrete else "action components"
    minibatch = "" if plan.searches else f"M = {plan.minibatch_size} samples a minibatch, "
    text = (
        f"Shapes: T = {plan.rollout_length} time steps a rollout, N = {plan.spec.env.num_envs} "
        f"environments, B = T·N = {plan.batch_size} samples, {buffer}{minibatch}"
        f"O = {facts.observation_size} observation components, "
        f"A = {facts.action_size} {actions}, P = {plan.num_parameters} parameters."
    )
    return Code(textwrap.fill(text, WIDTH))


def _env_arguments(plan: Plan) -> list[Code]:
    env, backend = plan.spec.env, "gymnasium" if plan.device_rollout else plan.facts.backend
    arguments = [Code(f"backend={literal(backend)}")]
    if backend == "envpool" and env.threads != "auto":
        arguments.append(Code(f"threads={literal(env.threads)}"))
    if env.max_episode_steps is not None:
        arguments.append(Code("max_episode_steps=MAX_EPISODE_STEPS"))
    if env.options:
        arguments.append(Code("options=ENV_OPTIONS"))
    return arguments


def _verify(text: str, expected: dict[str, Any]) -> None:
    """Compare the constants of the emitted text with the plan's."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise RuntimeError(f"the emitted module is not Python: {error}") from error
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.literal_eval(node.value)
    for name, value in expected.items():
        if name not in found or found[name] != value:
            raise RuntimeError(
                f"the emitted module has {name} = {found.get(name)!r}, not {value!r}"
            )
