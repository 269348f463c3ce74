"""The emitter: a plan becomes the source text of a training module."""

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import jinja2

from ppoc.compiler.agent.constants import bounded, constants, epsilon_name, split_epsilon, stepping
from ppoc.compiler.agent.distributions import GAUSSIANS
from ppoc.compiler.agent.env_arguments import env_arguments
from ppoc.compiler.agent.layers import Residual
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.schedules import scheduled
from ppoc.compiler.emission.constants import Constant
from ppoc.compiler.emission.literals import Code, identifier, literal, prose
from ppoc.compiler.formula.notation import statements, unicode_text
from ppoc.compiler.formula.objectives import Objective

WIDTH = 100
IMAGES_AT_ONCE = 128  # evaluated in half the time that 1,024 take together
STRING = re.compile(r"""\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'""")


def emit(plan: Plan) -> str:
    """The module of a plan. The same plan gives the same bytes.

    Raises:
        RuntimeError: the text is not Python or its constants are not the plan's: a compiler bug.
    """
    groups = list(constants(plan))
    shapes = {"SHAPES": dict(plan.networks.shapes())}
    return rendered("module.py.jinja", _context(plan, groups), groups, shapes)


def rendered(
    template: str,
    context: Mapping[str, Any],
    groups: Iterable[Iterable[Constant]],
    more: Mapping[str, Any] | None = None,
) -> str:
    """The text of a template, whose constants are seen to be those of `groups`, and `more`.

    Raises:
        RuntimeError: the text is not Python or its constants are others: a compiler bug.
    """
    text = environment().get_template(template).render(context)
    text = re.sub(r"\n{4,}", "\n\n\n", text).rstrip("\n") + "\n"
    text = "\n".join(folded(line) for line in text.split("\n"))
    named = [constant for group in groups for constant in group]
    expected = {constant.name: constant.value for constant in named}
    if len(expected) < len(named):
        raise RuntimeError("two constants have the same name")
    verify(text, {**expected, **(more or {})})
    return text


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("ppoc.templates", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        finalize=_only_code,
    )
    made.filters.update(literal=literal, prose=prose, assignment=_assignment)
    made.globals.update(fit=fit, code=Code)
    return made


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
        return Code(
            f"{name} = ({note}\n" + "".join(folded(f"    {item},") + "\n" for item in items) + ")"
        )
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


def folded(line: str) -> str:
    """A line of code that is too long, with the inside of its last fitting brackets on its own."""
    if len(line) <= WIDTH or line.lstrip().startswith(("#", '"""')):
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    for start, end in reversed(_brackets(line)):
        parts = (line[: start + 1], f"{indent}    {line[start + 1 : end]}", indent + line[end:])
        if end > start + 1 and all(len(part) <= WIDTH for part in parts):
            return "\n".join(parts)
    return line


def _brackets(line: str) -> list[tuple[int, int]]:
    """Where the outermost brackets of a line begin and end."""
    found, depth, start = [], 0, 0
    for index, character in enumerate(STRING.sub(lambda m: "_" * len(m[0]), line)):
        if character in "([{":
            start = index if depth == 0 else start
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                found.append((start, index))
    return found


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
    normalize, distribution = spec.env.normalize, plan.distribution
    observations = "normalize(observations)" if normalize.observations else "observations"
    return {
        # Flags
        "policy": plan.policy,
        "gaussian": plan.policy in GAUSSIANS,
        "gsde": networks.std == "gsde",
        "free_std": distribution.free_std,
        "resample_every": spec.networks.actor.resample_every is not None,
        "acts_in_numpy": networks.acts_in_numpy,
        "action_kind": facts.action_kind,
        "masks": spec.env.action_masks,
        "memory": plan.memory,
        "images": facts.images,
        "image_steps": max(1, IMAGES_AT_ONCE // spec.env.num_envs),
        "has_body": networks.has_body,
        "residual": any(isinstance(stage, Residual) for stage in networks.stages()),
        "clip_rewards": spec.env.atari is not None and spec.env.atari.clip_rewards,
        "episodic_life": spec.env.atari is not None and spec.env.atari.episodic_life,
        "backend": facts.backend,
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
        "next_noise": plan.learns_action_values and plan.policy == "gaussian",
        "estimator": spec.advantage.estimator,
        "baseline": spec.advantage.baseline == "mean",
        "episodes": spec.update.sampling == "episodes",
        "buffer": spec.update.buffer is not None,
        "products": plan.weighs_decisions,
        "clips_importance": plan.clips_importance,
        "rolls_back": spec.training.on_divergence == "rollback",
        "skips": spec.training.on_divergence == "continue" and not plan.searches,
        "seed": Code("seed" if spec.training.on_divergence == "rollback" else "SEED"),
        "target_kl": spec.update.target_kl is not None,
        **plan.compiling,
        "single_thread": plan.single_thread,
        "shortens": plan.shortens,
        "pads": plan.shortens and plan.compile_update,
        "length": Code("length" if plan.shortens else "ROLLOUT_LENGTH"),
        "on_device": plan.device_rollout,
        "evaluate_every": plan.evaluates_on_the_way,
        "shares_envs": plan.shares_envs,
        "evaluation_deterministic": spec.evaluation.deterministic,
        "remaining_used": any("remaining" in line for row in rows for line in row.lines),
        "progress_used": any("progress" in line for row in rows for line in row.lines),
        "imports_math": (plan.policy in GAUSSIANS and not plan.searches)
        or any("math.cos" in line for row in rows for line in row.lines),
        # Text
        "title": _title(plan),
        "shapes_note": _shapes_note(plan),
        "torch_functions": Code(", ".join(_torch_functions(plan))),
        "constants": groups,
        "shapes": networks.shapes(),
        "custom": [Code(which.upper()) for which in plan.custom],
        "shape": facts.shape,
        "initialisers": networks.initialisers(),
        "networks": [] if plan.searches else networks.functions(),
        "act": networks.numpy_actor(stacked=plan.searches),
        "observation_size": facts.observation_size,
        "action_size": facts.action_size,
        "act_input": Code(observations),
        **_distribution_context(plan),
        **_memory_context(plan),
        **_optimizer_context(plan),
        "device_act_input": Code(observations.replace(")", ", scaling)")),
        "collect_arguments": [
            *([Code("moments.scaling()")] if normalize.observations else []),
            Code(f"draw(generator{', length' * plan.shortens})"),
        ],
        "time_limit": Code(
            "dynamics.max_episode_steps"
            if spec.env.max_episode_steps is None
            else "MAX_EPISODE_STEPS"
        ),
        "env_arguments": env_arguments(plan),
        "stacked": _stacked_metrics(plan),
        "metrics": _metric_names(plan),
        "policy_comment": objective_comment(plan.policy_objective, "Maximise"),
        "policy_lines": statements(plan.policy_objective.tree, "objective", renamed),
        "value_comment": objective_comment(plan.value_objective, "Minimise"),
        "value_lines": statements(plan.value_objective.tree, "error", {}),
        "entropy_coefficient": names.get("entropy_coefficient", Code("ENTROPY_COEFFICIENT")),
        "learning_rate": names.get("learning_rate", Code("LEARNING_RATE")),
        "value_coefficient": names.get("value_coefficient", Code("VALUE_COEFFICIENT")),
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


def _distribution_context(plan: Plan) -> dict[str, Any]:
    """How a module speaks of its actions."""
    networks, distribution, facts = plan.networks, plan.distribution, plan.facts
    shared, policy = networks.has_body, plan.policy
    one = distribution.components is None
    kind = "int64" if distribution.integers else "float32"
    notes = {"gaussian": "before clipping to the bounds", "tanh-gaussian": "before tanh"}
    if plan.action_units is not None:
        notes["gaussian"] = "before scaling to the bounds"
    letter = "" if one else (", K" if policy == "multi-categorical" else ", A")
    note = f", {kind}" if distribution.integers else f", {notes.get(policy, 'in (0, 1)')}"
    if policy == "bernoulli":
        note = ", int64, 0 or 1"
    scaled = plan.action_units is not None
    clipped = bounded(plan) and policy == "gaussian" and not scaled
    bytes_ = 1 < facts.pixel <= 255
    taken = "np.clip(actions, ACTION_LOW, ACTION_HIGH)" if clipped else "actions"
    inputs = "body(p, observations)" if shared else "observations"
    source = "features" if shared else "observations"
    batch = "features" if shared else "batch.observations"
    head = networks.actor.head
    return {
        "features": Code(batch),
        "at": Code(source),
        "at_next": Code(f"next_{source}"),
        "policy_input": Code(inputs),
        "dist": distribution.names,
        "of_entropy": distribution.of_entropy,
        "dist_of_features": distribution.of(batch),
        "dist_of_inputs": distribution.of("inputs"),
        "log_prob_at": distribution.log_prob(source, "actions"),
        "log_prob_of_policy_input": distribution.log_prob(inputs, "actions"),
        "distribution": distribution.template,
        "mean_of_hidden": Code(head.affine("hidden", "torch")),
        "head_name": f"{head.name}.weight",
        "latent_size": head.inputs,
        "exploring_features": networks.exploring_features,
        "more_action_axes": Code("" if one else f", {distribution.components}"),
        "action_dtype": Code(f"np.{kind}"),
        "actions_note": Code(f"[{_rows(plan)}{letter}]{note}"),
        "rollout_actions_note": Code(f"[T, N{letter}]{note}"),
        "clipped": clipped,
        "scaled": scaled,
        "taken": Code("scale(actions)" if scaled or policy in ("tanh-gaussian", "beta") else taken),
        "zero_noise": Code("no_noise()" if policy == "beta" else "np.zeros(1, np.float32)"),
        "letters": Code("C, H, W" if facts.images else "O"),
        "observation_dtype": Code("np.uint8" if facts.images and bytes_ else "np.float32"),
        "mask_from": facts.observation_size,
        "weights": Code("w" if networks.acts_in_numpy else "p"),
        "weights_type": Code(f"dict[str, {'np.ndarray' if networks.acts_in_numpy else 'Tensor'}]"),
        "as_weights": Code(f"runtime.{'as_arrays' if networks.acts_in_numpy else 'unflatten'}"),
    }


def _rows(plan: Plan) -> str:
    return "B/L, L" if plan.memory else "B"


def _memory_context(plan: Plan) -> dict[str, Any]:
    """What a module with a memory needs to say, and how one without flattens its batch."""
    networks = plan.networks
    samples = "NUM_SAMPLES" if plan.spec.update.buffer else "BATCH_SIZE"

    def flat(text: str, deep: bool = False) -> Code:
        if plan.memory:
            return Code(f"sequences({text})")
        operation = "+" in text
        return Code(f"{f'({text})' if operation else text}.flatten({'0, 1' if deep else ''})")

    rows = "MINIBATCH_SIZE // SEQUENCE_LENGTH" if plan.memory else "MINIBATCH_SIZE"
    context = {
        "flat": flat,
        "b": Code(_rows(plan)),
        "num_rows": Code("NUM_SEQUENCES" if plan.memory else samples),
        "minibatch_rows": Code(rows),
        "num_updates": Code(
            f"(orders.numel() // {f'({rows})' if plan.memory else rows})"
            if plan.shortens
            else f"(EPOCHS * {samples} // MINIBATCH_SIZE)"
        ),
    }
    normalizes = plan.spec.env.normalize.observations
    names = ["observations", "noise", "starts", "state"]
    context["remembering_arguments"] = [Code(x) for x in ["normalize"] * normalizes + names]
    return context | (networks.memory_lines() if plan.memory else {})


def _optimizer_context(plan: Plan) -> dict[str, Any]:
    optimizer = stepping(plan)
    fields = {"adam": ["m", "v", "step"], "adamw": ["m", "v", "step"], "rmsprop": ["v"]}
    kept = fields.get(optimizer.kind, ["m"] if optimizer.momentum else [])
    pairs = ", ".join(f'"{name}": learner.{name}' for name in kept)
    name = epsilon_name(plan)
    return {
        "optimizer": optimizer.kind,
        "momentum": optimizer.momentum > 0,
        "optimizer_fields": Code("".join(f", {name}" for name in kept)),
        "optimizer_state": Code("{" + pairs + "}"),
        "epsilon_name": Code(name),
        "epsilon": Code("epsilon" if split_epsilon(plan) else name),
    }


def _metric_names(plan: Plan) -> tuple[str, ...]:
    """What `update` measures, in order."""
    skipped = ("skipped",) if plan.spec.training.on_divergence == "continue" else ()
    if plan.spec.optimizer.trust_region is not None:
        return ("value_loss", "grad_norm", *skipped)
    clip = ("clip_fraction",) if plan.policy_objective.clips_ratio else ()
    value = ("value_loss",) if plan.has_critic else ()
    return ("policy_loss", *value, "entropy", "approx_kl", *clip, "grad_norm", *skipped)


def _stacked_metrics(plan: Plan) -> Code:
    sources = {"entropy": "mean_entropy", "approx_kl": "kl.mean()"}
    return Code(
        ", ".join(
            sources.get(name, name)
            for name in _metric_names(plan)
            if name not in ("grad_norm", "skipped")
        )
    )


def _title(plan: Plan) -> Code:
    method = "the cross-entropy method" if plan.searches else _method(plan)
    text = f"{plan.spec.name}: {method} on {plan.facts.env_id}, written by ppoc {version('ppoc')}."
    return Code(textwrap.fill(prose(text), WIDTH, initial_indent="   ")[3:])


def _method(plan: Plan) -> str:
    estimator = {"gae": "GAE", "return": "returns", "q": "action values"}.get(
        plan.spec.advantage.estimator
    )
    return f"{plan.policy_objective.title} with {estimator or 'reward-to-go'}"


def objective_comment(objective: Objective, verb: str) -> list[Code]:
    text = f"{verb} E[{unicode_text(objective.tree)}]: {objective.title} ({objective.source})"
    return [Code(line) for line in textwrap.wrap(prose(text), WIDTH - 6)]


def _torch_functions(plan: Plan) -> list[str]:
    return sorted(plan.networks.torch_functions() | plan.distribution.functions)


def _shapes_note(plan: Plan) -> Code:
    facts = plan.facts
    rollouts = plan.spec.update.buffer
    buffer = f"K = {rollouts.rollouts} rollouts in the buffer, " if rollouts else ""
    actions = "actions" if facts.action_kind == "discrete" else "action components"
    if plan.policy == "multi-categorical":
        actions = "choices in all"
    size = f"O = {facts.observation_size} observation components, "
    if facts.images:
        size = "C×H×W = {}×{}×{} images, ".format(*facts.shape)
    minibatch = "" if plan.searches else f"M = {plan.minibatch_size} samples a minibatch, "
    text = (
        f"Shapes: T = {plan.rollout_length} time steps a rollout, N = {plan.spec.env.num_envs} "
        f"environments, B = T·N = {plan.batch_size} samples, {buffer}{minibatch}"
        f"{size}"
        f"A = {facts.action_size} {actions}, P = {plan.num_parameters} parameters."
    )
    return Code(textwrap.fill(text, WIDTH))


def verify(text: str, expected: dict[str, Any]) -> None:
    """Compare the constants of the emitted text with the plan's."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise RuntimeError(f"the emitted module is not Python: {error}") from error
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in expected:
                found[name] = ast.literal_eval(node.value)
    for name, value in expected.items():
        if name not in found or found[name] != value:
            raise RuntimeError(
                f"the emitted module has {name} = {found.get(name)!r}, not {value!r}"
            )
