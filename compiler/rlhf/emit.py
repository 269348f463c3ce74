"""A spec of `kind: rlhf` becomes the source text of a training module."""

import textwrap
from collections.abc import Mapping, Set
from importlib.metadata import version
from typing import Any

from ppoc.compiler.emission.literals import Code, prose
from ppoc.compiler.emission.rendering import WIDTH, rendered
from ppoc.compiler.formula.explanation import objective_comment
from ppoc.compiler.formula.notation import statements
from ppoc.compiler.formula.objectives import Objective, policy_objective, value_objective
from ppoc.compiler.rlhf.constants import ADAM_EPSILON, constants, reference
from ppoc.compiler.rlhf.language import STAGES, Optimizer, RlhfSpec, Stage

LEARNT = {"sft": "supervised fine-tuning", "reward": "the reward model", "ppo": "PPO against it"}
PENALTIES = {
    "k1": ("log(π(aₜ|sₜ) / π_ref(aₜ|sₜ))", "log_ratio"),
    "k2": ("½ ρₜ²", "(0.5 * log_ratio.square())"),
    "k3": ("(exp(−ρₜ) − 1 + ρₜ)", "((-log_ratio).exp() - 1 + log_ratio)"),
}


def emit(
    spec: RlhfSpec,
    files: Mapping[str, str],
    places: Mapping[str, str],
    compiled: Set[Stage] = frozenset(),
) -> str:
    """The module of a spec. The same spec gives the same bytes.

    Args:
        files: role of a data file → its path beside the module.
        places: `model`, `tokenizer`, `policy`, `reward` → where what the spec names is.
        compiled: stages whose blocks are compiled.

    Raises:
        RuntimeError: the text is not Python or its constants are not the spec's: a compiler bug.
    """
    policy, value = policy_objective(spec.ppo), value_objective(spec.ppo)
    groups = [g for g in constants(spec, files, places, policy, value) if g]
    flags = {f"{stage}_compiled": stage in compiled for stage in STAGES}
    flags["required"] = spec.training.compile == "always"
    context = _context(spec, places, policy, value) | flags | {"constants": groups}
    return rendered("rlhf/module.py.jinja", context, groups)


def _context(
    spec: RlhfSpec, places: Mapping[str, str], policy: Objective, value: Objective
) -> dict[str, Any]:
    """What the templates see: flags to branch on, and text that is code already."""
    stages, model, ppo = spec.stages, spec.model, spec.ppo
    factors = {
        "sft": _factor("SFT_", spec.sft.optimizer, "update", "updates"),
        "reward": _factor("REWARD_", spec.reward.optimizer, "update", "updates"),
        "ppo": _factor("", ppo.optimizer, "iteration", "NUM_ITERATIONS"),
    }
    scheduled = [bool(factors[stage]) for stage in stages]
    dropout = (model.config.dropout if model.config else 1.0) or (
        model.lora.dropout if model.lora else 0.0
    )
    from_base = "sft" if spec.reward.start == "sft" else "base"
    value_rate = "LEARNING_RATE" if ppo.value_optimizer is None else "VALUE_LEARNING_RATE"
    both = f"(policy.lm.parameters(), LEARNING_RATE), (policy.value.parameters(), {value_rate})"
    adamw = {
        "sft": _adamw("SFT_", spec.sft.optimizer, "[(lm.parameters(), SFT_LEARNING_RATE)]"),
        "reward": _adamw(
            "REWARD_", spec.reward.optimizer, "[(model.parameters(), REWARD_LEARNING_RATE)]"
        ),
        "ppo": _adamw("", ppo.optimizer, f"[{both}]"),
    }
    return {
        "title": _title(spec),
        "steps": Code(_steps(spec)),
        "num_stages": len(stages),
        "shapes_note": _shapes_note(spec),
        "sft": "sft" in stages,
        "reward": "reward" in stages,
        "ppo": "ppo" in stages,
        "lora": model.lora is not None,
        "copies": "ppo" in stages and model.lora is None,
        "points": any(
            isinstance(o.schedule, list) for o in (spec.sft.optimizer, spec.reward.optimizer)
        ),
        "pairs": "reward" in stages and spec.reward.objective == "pairs",
        "tokenizer": _tokenizer(spec),
        "pretrained": model.id is not None,
        "revision": model.revision is not None,
        "reference": reference(spec),
        "loads_policy": stages != ["reward"] or from_base == "sft",
        "factors": any(scheduled),
        "all_factors": all(scheduled),
        "descend_arguments": [Code("factor: float" + " = 1.0" * (not all(scheduled)))]
        if any(scheduled)
        else [],
        "dropout": dropout > 0,
        "ten_checkpoints": spec.training.checkpoint_every is None,
        "held_out": spec.data.held_out > 0,
        "loss_on_all": spec.sft.loss_on == "all",
        "margin": spec.reward.margin > 0,
        "center": spec.reward.center > 0,
        "reward_start": reference(spec) if from_base == "sft" else "base",
        **{f"{stage}_factor": lines for stage, lines in factors.items()},
        **{f"{stage}_adamw": arguments for stage, arguments in adamw.items()},
        "sft_every": _every(spec, "updates"),
        "reward_every": _every(spec, "updates"),
        "ppo_every": _every(spec, "NUM_ITERATIONS"),
        **_ppo_context(spec, policy, value, bool(factors["ppo"])),
    }


def _ppo_context(
    spec: RlhfSpec, policy: Objective, value: Objective, scheduled: bool
) -> dict[str, Any]:
    ppo, lora = spec.ppo, spec.model.lora is not None
    entropy = ppo.losses.entropy
    penalty_text, penalty = PENALTIES[ppo.kl.estimator]
    of_update = [Code("factor")] * scheduled
    metrics = _metrics(spec, policy)
    sources = {"approx_kl": "kl.mean()"}
    separate = ppo.value == "separate"
    lm = "add_lora(reference)" if lora else "copy.deepcopy(reference)"
    critic = ", load_reward_model(run.root, tokenizer)" * separate
    adaptive = ppo.kl.target is not None
    return {
        "metrics": metrics,
        "stacked": Code(", ".join(sources.get(name, name) for name in metrics[:-1])),
        "top_k": ppo.generation.top_k is not None,
        "top_p": ppo.generation.top_p < 1,
        "tempered": ppo.generation.temperature != 1,
        "normalize": ppo.rewards.normalize,
        "clip_scores": ppo.rewards.clip is not None,
        "missing_end": ppo.rewards.missing_end is not None,
        "plain_scores": ppo.rewards.clip is None and ppo.rewards.missing_end is None,
        "estimator": ppo.kl.estimator,
        "penalty_text": Code(penalty_text),
        "penalty": Code(penalty),
        "adaptive": adaptive,
        "kl_weight": Code("kl_weight" if adaptive else "KL_WEIGHT"),
        "whiten": ppo.advantage.whiten,
        "separate": separate,
        "policy_arguments": Code(lm + critic),
        "entropy": entropy.beta > 0,
        "forward_type": Code(f"tuple[{', '.join(['Tensor'] * (3 if entropy.beta else 2))}]"),
        "forward_text": Code(
            "log π, values" + " and entropies" if entropy.beta else "log π and values"
        ),
        "old_values": value.uses("V_old"),
        "policy_comment": objective_comment(policy, "Maximise"),
        "policy_lines": statements(policy.tree, "objective", {}),
        "value_comment": objective_comment(value, "Minimise"),
        "value_lines": statements(value.tree, "error", {}),
        "clips_ratio": policy.clips_ratio is not None,
        "update_typed": [Code(f"{name}: float") for name in of_update],
        "update_arguments": of_update,
        "target_kl": ppo.target_kl is not None,
        "evaluate_every": spec.evaluation.every is not None,
        "held_out_name": Code("_" if spec.evaluation.every is None else "held_out"),
    }


def _metrics(spec: RlhfSpec, policy: Objective) -> tuple[str, ...]:
    """What `update_ppo` measures, in order."""
    clip = ("clip_fraction",) if policy.clips_ratio else ()
    return ("policy_loss", "value_loss", "approx_kl", *clip, "grad_norm")


def _tokenizer(spec: RlhfSpec) -> str:
    """byte, bpe, inherited (from the run that this one starts from), own (the model's) or named."""
    model = spec.model
    if isinstance(model.tokenizer, dict):
        return "bpe" if spec.data.demonstrations is not None else "inherited"
    if model.tokenizer is None:
        return "byte" if model.id is None else "own"
    return "byte" if model.tokenizer == "byte" else "named"


def _factor(prefix: str, optimizer: Optimizer, count: str, total: str) -> list[Code]:
    """Lines that compute the factor of a stage's learning rates; none where it stays 1."""
    warmup = f"min(1.0, ({count} + 1) / ({prefix}WARMUP * {total}))"
    progress = f"{count} / {total}"
    schedule = optimizer.schedule
    if schedule == "constant":
        return [Code(f"factor = {warmup}")] if optimizer.warmup else []
    if schedule == "linear":
        lines = [Code(f"factor = 1 - {progress}")]
    elif schedule == "cosine":
        lines = [Code(f"factor = 0.5 * (1 + math.cos(math.pi * {progress}))")]
    else:
        name = f"{prefix}LEARNING_RATE_SCHEDULE"
        lines = [Code(f"factor = float(np.interp({progress}, *{name}))")]
    if optimizer.warmup:
        lines.append(Code(f"factor *= {warmup}"))
    return lines


def _adamw(prefix: str, optimizer: Optimizer, groups: str) -> list[Code]:
    """Lines that make the optimiser of some groups of parameters."""
    arguments = [groups]
    if optimizer.epsilon != ADAM_EPSILON:
        arguments.append(f"epsilon={prefix}ADAM_EPSILON")
    if optimizer.weight_decay:
        arguments.append(f"weight_decay={prefix}WEIGHT_DECAY")
    joined = ", ".join(arguments)
    room = WIDTH - 4
    if len(line := f"optimizer = rlhf.adamw({joined})") <= room:
        return [Code(line)]
    inner = [f"    {joined}"] if len(joined) + 4 <= room else [f"    {a}," for a in arguments]
    return [Code(line) for line in ("optimizer = rlhf.adamw(", *inner, ")")]


def _every(spec: RlhfSpec, total: str) -> Code:
    """How often a stage saves."""
    if spec.training.checkpoint_every is not None:
        return Code("CHECKPOINT_EVERY")
    return Code(f"math.ceil({total} / CHECKPOINTS)")


def _title(spec: RlhfSpec) -> Code:
    model = spec.model
    what = f"a {model.config.architecture} model" if model.config else "a language model"
    text = f"{spec.name}: {what} learns from human feedback, written by ppoc {version('ppoc')}."
    return Code(textwrap.fill(prose(text), WIDTH, initial_indent="   ")[3:])


def _steps(spec: RlhfSpec) -> str:
    names = [LEARNT[stage] for stage in spec.stages]
    if len(names) == 1:
        return f"{names[0] if names != ['PPO against it'] else 'PPO against a reward model'}."
    return "the steps of [InstructGPT]"


def _shapes_note(spec: RlhfSpec) -> Code:
    parts = [
        "B texts in a batch, L tokens in the longest of them, padded on the right, R tokens of "
        "responses among them"
    ]
    if "reward" in spec.stages:
        parts.append("K answers in a ranking")
    if "ppo" in spec.stages:
        parts.append(f"N = {spec.ppo.rollout_size} responses a rollout")
    parts.append("H components of a hidden state, V tokens in the vocabulary")
    return Code(textwrap.fill(f"Shapes: {'; '.join(parts)}.", WIDTH))
