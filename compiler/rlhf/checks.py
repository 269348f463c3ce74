"""Checks of what a spec of `kind: rlhf` means, one function a rule; they look at no file."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ppoc.compiler.formula.objectives import reserved
from ppoc.compiler.formula.problems import formula_errors
from ppoc.compiler.front.advice import MORE_STEPS
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.suggest import nearest_divisors
from ppoc.compiler.rlhf.constants import episodes_taken
from ppoc.compiler.rlhf.language import STAGES

if TYPE_CHECKING:
    from ppoc.compiler.rlhf.resolved import RlhfResolved

Check = Callable[["RlhfResolved"], Iterator[Diagnostic]]
ROTARY = {"llama": 2, "gpt_neox": 8}  # what the size of a head is a multiple of; half, or an eighth


def stages_are_in_order(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """E402: each step takes what the one before it leaves."""
    stages = resolved.spec.stages
    ordered = [stage for stage in STAGES if stage in stages]
    if stages != ordered:
        yield resolved.error(
            "E402",
            ("stages",),
            f"the stages are {', '.join(stages)}",
            why="each takes what those before it leave: sft, then reward, then ppo",
            help=f"write `stages: [{', '.join(ordered)}]`",
        )


def stages_have_what_they_start_from(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """E403: a policy or a reward model that no stage makes and no run folder has."""
    spec = resolved.spec
    stages, start = spec.stages, spec.start
    of_sft = [s for s in stages if s == "ppo" or (s == "reward" and spec.reward.start == "sft")]
    if "sft" not in stages and of_sft and start.policy is None:
        yield resolved.error(
            "E403",
            ("stages",),
            f"{of_sft[0]} starts from a supervised policy, and there is none",
            help="add sft, or name a run folder that has one: `start: {policy: runs/my-model-1}`",
        )
    if "ppo" in stages and "reward" not in stages and start.reward is None:
        yield resolved.error(
            "E403",
            ("stages",),
            "ppo needs a reward model, and there is none",
            help="add reward, or name a run folder that has one: `start: {reward: runs/…}`",
        )
    for what, stage in (("policy", "sft"), ("reward", "reward")):
        if getattr(start, what) is not None and stage in stages:
            yield resolved.error(
                "E403",
                ("start", what),
                f"`start.{what}` says where the {what} comes from, and the stage {stage} makes one",
                help=f"remove it, or take {stage} out of `stages`",
            )


def there_is_one_model(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """E404: a model of the hub or a folder, or a new one, whose sizes fit each other."""
    model = resolved.spec.model
    if (model.id is None) == (model.config is None):
        both = model.id is not None
        yield resolved.error(
            "E404",
            ("model", "config") if both else ("model",),
            "both `id` and `config` say what the model is" if both else "no model is given",
            help="keep one of them" if both else "such as `id: gpt2`, or `config: {layers: 2}`",
        )
    elif model.revision is not None and model.id is None:
        yield resolved.error(
            "E404",
            ("model", "revision"),
            "a new model has no revision",
            help="remove it, or give `id` instead of `config`",
        )
    if model.config is None:
        return
    width, heads = model.config.hidden_size, model.config.heads
    if width % heads:
        near = ", ".join(str(n * heads) for n in (width // heads, width // heads + 1) if n)
        yield resolved.error(
            "E404",
            resolved.said(("model", "config", "hidden_size"), ("model", "config", "heads")),
            f"{heads} heads cannot share a width of {width} evenly",
            help=f"the nearest widths that they can: {near}",
        )
        return
    step = ROTARY.get(model.config.architecture, 1)
    if width // heads % step:
        yield resolved.error(
            "E404",
            resolved.said(("model", "config", "hidden_size"), ("model", "config", "heads")),
            f"heads of {width // heads} numbers have no rotary positions",
            why=f"those of {model.config.architecture} turn pairs of numbers of a head",
            help=f"take a width such as {(width // heads // step + 1) * step * heads}",
        )


def texts_fit_the_context(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """E405: prompt and response together are as long as the model can read."""
    config = resolved.spec.model.config
    if config is not None:
        yield from lengths_within(resolved, config.context)


def lengths_within(resolved: "RlhfResolved", context: int) -> Iterator[Diagnostic]:
    """E405, of a model that reads so many tokens."""
    spec = resolved.spec
    prompt = spec.data.max_prompt_tokens
    for stage, path, length in (
        ("sft", ("data", "max_response_tokens"), spec.data.max_response_tokens),
        ("ppo", ("ppo", "generation", "max_new_tokens"), spec.ppo.generation.max_new_tokens),
    ):
        if stage not in spec.stages and not (stage == "sft" and "reward" in spec.stages):
            continue
        if prompt + length > context:
            yield resolved.error(
                "E405",
                resolved.said(path, ("data", "max_prompt_tokens"), ("model", "config", "context")),
                f"prompts of {prompt} and responses of {length} tokens do not fit {context}",
                why=f"the model reads {context} tokens, prompt and response together",
                help=f"lower `{'.'.join(path)}`, or `data.max_prompt_tokens`, by "
                f"{prompt + length - context}",
            )


def minibatches_divide_the_rollout(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """E101: every minibatch has the same number of responses."""
    ppo = resolved.spec.ppo
    if "ppo" in resolved.spec.stages and ppo.rollout_size % ppo.minibatch_size:
        sizes = nearest_divisors(ppo.rollout_size, ppo.minibatch_size)
        yield resolved.error(
            "E101",
            resolved.said(("ppo", "minibatch_size"), ("ppo", "rollout_size")),
            f"minibatches of {ppo.minibatch_size} do not divide a rollout of "
            f"{ppo.rollout_size} responses",
            why="every minibatch has the same size, so that each gradient step counts alike",
            help=f"the nearest sizes that do: {', '.join(map(str, sizes))}",
        )


def episodes_are_nearly_those_taken(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W101: the last rollout goes on for long after the total."""
    ppo, taken = resolved.spec.ppo, episodes_taken(resolved.spec)
    if "ppo" in resolved.spec.stages and taken > MORE_STEPS * ppo.episodes:
        below = taken - ppo.rollout_size
        totals = f"{below:,} or {taken:,}" if below else f"{taken:,}"
        yield resolved.error(
            "W101",
            resolved.said(("ppo", "episodes"), ("ppo", "rollout_size")),
            f"a run of {ppo.episodes:,} responses takes {taken:,}: rollouts of "
            f"{ppo.rollout_size:,}",
            why="the last rollout is as large as the others",
            help=f"set ppo.episodes to {totals}, or lower ppo.rollout_size",
        )


def a_target_moves_something(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """E406: β is multiplied to follow the target, and 0 stays 0."""
    kl = resolved.spec.ppo.kl
    if kl.target is not None and kl.beta == 0:
        yield resolved.error(
            "E406",
            resolved.said(("ppo", "kl", "beta"), ("ppo", "kl", "target")),
            "β = 0 cannot follow a KL target",
            why="β grows and shrinks by factors (Ziegler et al. 2019), and 0 times any is 0",
            help="give `ppo.kl.beta` a first value such as 0.1, or remove the target",
        )


def stages_have_data(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """E407: each stage learns from a file."""
    spec, data = resolved.spec, resolved.spec.data
    if "sft" in spec.stages and data.demonstrations is None:
        yield _no_data(resolved, "sft learns from demonstrations", "demonstrations")
    if "reward" in spec.stages and data.preferences is None:
        yield _no_data(resolved, "reward learns from preferences", "preferences")
    if "ppo" in spec.stages and data.prompts is None and data.demonstrations is None:
        yield _no_data(resolved, "ppo answers prompts", "prompts")
    bpe = isinstance(spec.model.tokenizer, dict)
    if bpe and data.demonstrations is None and "sft" not in spec.stages and not _inherits(resolved):
        yield _no_data(resolved, "byte pairs are learnt from demonstrations", "demonstrations")


def _inherits(resolved: "RlhfResolved") -> bool:
    """Whether the tokenizer comes from another run."""
    return resolved.spec.start.policy not in (None, "base")


def _no_data(resolved: "RlhfResolved", what: str, key: str) -> Diagnostic:
    return resolved.error(
        "E407",
        ("data",) if resolved.origin(("data",)).kind != "default" else ("stages",),
        f"{what}, and no file has them",
        help=f"add `{key}: {key}.jsonl` to `data`",
    )


def objectives_are_formulas(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """E201: an objective that is no formula, or makes no sense."""
    ppo = resolved.spec.ppo
    policy, value = ppo.losses.policy, ppo.losses.value
    above = ("ppo", "losses")
    yield from formula_errors(
        resolved, "policy", policy.objective, lambda: ppo.policy_objective.tree, above
    )
    wrong = list(
        formula_errors(resolved, "value", value.objective, lambda: ppo.value_objective.tree, above)
    )
    yield from wrong
    own_clip = resolved.origin(("ppo", "losses", "value", "clip")).kind != "default"
    if not wrong and own_clip and value.clip and not ppo.value_objective.uses("value_clip"):
        yield resolved.error(
            "E201",
            ("ppo", "losses", "value", "clip"),
            "the formula of the value objective has no `value_clip`",
            help="set `clip: null`, or use `value_clip` in the formula",
        )
    for which, parameters in (("policy", policy.parameters), ("value", value.parameters)):
        for name in parameters:
            alike = [other for other in parameters if other.upper() == name.upper()]
            if name in reserved(which) or alike[0] != name:
                yield resolved.error(
                    "E201",
                    ("ppo", "losses", which, "parameters", name),
                    f"the parameter `{name}` has a meaning, or differs from another in case only",
                    help="give it a name of its own",
                )


CHECKS: tuple[Check, ...] = (
    stages_are_in_order,
    stages_have_what_they_start_from,
    there_is_one_model,
    texts_fit_the_context,
    minibatches_divide_the_rollout,
    episodes_are_nearly_those_taken,
    a_target_moves_something,
    stages_have_data,
    objectives_are_formulas,
)
