"""The constants of a generated module of `kind: rlhf`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ppoc.compiler.emission.constants import Constant
from ppoc.compiler.formula.objectives import Objective
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.language.optimizer import Optimizer

FALLS = {"linear": "falling linearly to 0", "cosine": "falling to 0 along half a cosine"}
ADAM_EPSILON = 1e-8  # torch's own
SCALE_SAMPLES = 256  # responses from which the scale of scores is taken
OF_DATA = "beside this file"


def constants(
    spec: RlhfSpec,
    files: Mapping[str, str],
    places: Mapping[str, str],
    policy: Objective,
    value: Objective,
) -> Iterable[list[Constant]]:
    """The constants of a module, in the groups they are printed in.

    Args:
        files: role of a data file → its path beside the module.
        places: `model`, `tokenizer`, `policy`, `reward` → where what the spec names is.
    """
    yield [
        Constant("NAME", spec.name, field="name"),
        Constant("SEED", spec.training.seed, field="seed"),
        Constant("DEVICE", spec.training.device, field="device"),
        *_dtype(spec),
    ]
    yield list(_data(spec, files))
    yield list(_model(spec, places))
    yield list(_start(spec, places))
    if "sft" in spec.stages:
        yield [
            Constant("SFT_EPOCHS", spec.sft.epochs, key="sft.epochs"),
            Constant("SFT_BATCH_SIZE", spec.sft.batch_size, key="sft.batch_size"),
            *_optimizer("sft", spec.sft.optimizer),
        ]
    if "reward" in spec.stages:
        yield list(_reward(spec))
    if "ppo" in spec.stages:
        yield list(_ppo(spec))
        yield list(_losses(spec, policy, value))
    yield list(_training(spec))


def _dtype(spec: RlhfSpec) -> Iterator[Constant]:
    if spec.model.dtype != "float32":
        yield Constant("DTYPE", spec.model.dtype, "of products", "model.dtype", "model.dtype")


def reference(spec: RlhfSpec) -> str:
    """The stage whose policy PPO and the reward model start from."""
    if "sft" in spec.stages:
        return "sft"
    return "base" if spec.start.policy in (None, "base") else "start"


def _data(spec: RlhfSpec, files: Mapping[str, str]) -> Iterator[Constant]:
    for role in ("demonstrations", "preferences", "prompts"):
        if role in files:
            yield Constant(role.upper(), files[role], OF_DATA, field=f"data.{role}")
    data, note = spec.data, "share of the prompts kept for evaluation"
    yield Constant("HELD_OUT", data.held_out, note, "data.held_out", "data.held_out")
    key = "data.max_prompt_tokens"
    yield Constant("MAX_PROMPT_TOKENS", data.max_prompt_tokens, key=key)
    note, key = "end of text included", "data.max_response_tokens"
    yield Constant("MAX_RESPONSE_TOKENS", data.max_response_tokens, note, key)
    yield Constant("OVERLONG", spec.data.overlong)


def _model(spec: RlhfSpec, places: Mapping[str, str]) -> Iterator[Constant]:
    model = spec.model
    if model.config is not None:
        key = "model.config.architecture"
        yield Constant("ARCHITECTURE", model.config.architecture, key=key)
        yield Constant("LAYERS", model.config.layers)
        yield Constant("HEADS", model.config.heads)
        yield Constant("HIDDEN_SIZE", model.config.hidden_size, "H")
        yield Constant("CONTEXT", model.config.context, "tokens of prompt and response")
        yield Constant("DROPOUT", model.config.dropout, key="model.config.dropout")
    else:
        yield Constant("MODEL", places["model"])
        if model.revision is not None:
            yield Constant("MODEL_REVISION", model.revision)
    if isinstance(model.tokenizer, dict) and spec.data.demonstrations is not None:
        yield Constant("VOCABULARY", model.tokenizer["bpe"], "V")
    elif "tokenizer" in places:
        yield Constant("TOKENIZER", places["tokenizer"])
    if model.lora is not None:
        targets = None if model.lora.targets is None else tuple(model.lora.targets)
        yield Constant("LORA_RANK", model.lora.rank, key="model.lora.rank")
        note = "changes are scaled by alpha / rank"
        yield Constant("LORA_ALPHA", model.lora.alpha, note, "model.lora.alpha")
        yield Constant("LORA_DROPOUT", model.lora.dropout, key="model.lora.dropout")
        yield Constant("LORA_TARGETS", targets, "" if targets else "attention and perceptrons")
        learns = ("sft", "ppo") if reference(spec) == "sft" else ("ppo",)
        yield Constant("LEARNS_POLICY", learns, "stages, each with a change of its own")


def _start(spec: RlhfSpec, places: Mapping[str, str]) -> Iterator[Constant]:
    if "policy" in places:
        note = "run folder whose newest policy is first"
        yield Constant("START_POLICY", places["policy"], note, field="model.start")
    if "reward" in places:
        note = "run folder of the reward model"
        yield Constant("START_REWARD", places["reward"], note, field="model.start_reward")
    of_reward = "reward" in spec.stages and spec.reward.start == "sft"
    if "ppo" in spec.stages or of_reward:
        notes = {
            "sft": "stage whose policy is the first of those after it",
            "start": "START_POLICY's is the first policy",
            "base": "the first policy is the model itself",
        }
        first = reference(spec)
        yield Constant("REFERENCE", first, notes[first], field="model.reference")


def _optimizer(stage: str, optimizer: Optimizer) -> Iterator[Constant]:
    prefix, section = "" if stage == "ppo" else f"{stage.upper()}_", f"{stage}.optimizer"
    name = f"{prefix}LEARNING_RATE"
    yield from _rate(name, optimizer.lr, optimizer.schedule, f"{section}.lr")
    if optimizer.warmup:
        note = "share of updates with a rising rate"
        yield Constant(f"{prefix}WARMUP", optimizer.warmup, note, f"{section}.warmup")
    if optimizer.epsilon != ADAM_EPSILON:
        key = f"{section}.epsilon"
        yield Constant(f"{prefix}ADAM_EPSILON", optimizer.epsilon, key=key)
    if optimizer.weight_decay:
        key = f"{section}.weight_decay"
        yield Constant(f"{prefix}WEIGHT_DECAY", optimizer.weight_decay, key=key)
    name, limit = f"{prefix}MAX_GRAD_NORM", optimizer.max_grad_norm
    if limit is None:
        yield Constant(name, float("inf"), "none")
    else:
        yield Constant(name, limit, key=f"{section}.max_grad_norm")


def _rate(name: str, value: float, schedule: Any, key: str) -> Iterator[Constant]:
    points = isinstance(schedule, list)
    note = f"times {name}_SCHEDULE's factor" if points else FALLS.get(str(schedule), "")
    yield Constant(name, value, note, key)
    if points:
        pairs = tuple(zip(*schedule, strict=True))
        yield Constant(f"{name}_SCHEDULE", pairs, "progress, and factors")


def _reward(spec: RlhfSpec) -> Iterator[Constant]:
    reward = spec.reward
    yield Constant("REWARD_EPOCHS", reward.epochs, key="reward.epochs")
    yield Constant("REWARD_BATCH_SIZE", reward.batch_size, "rankings", "reward.batch_size")
    if reward.margin:
        note = "by which the better score is to be higher"
        yield Constant("REWARD_MARGIN", reward.margin, note, "reward.margin")
    if reward.center:
        note = "weight of the mean squared score"
        yield Constant("REWARD_CENTER", reward.center, note, "reward.center")
    yield from _optimizer("reward", reward.optimizer)


def iterations(spec: RlhfSpec) -> int:
    """How many rollouts PPO makes."""
    return -(-spec.ppo.episodes // spec.ppo.rollout_size)


def episodes_taken(spec: RlhfSpec) -> int:
    """Responses that PPO learns from, in whole rollouts, at least `ppo.episodes`."""
    return iterations(spec) * spec.ppo.rollout_size


def length_in_words(spec: RlhfSpec) -> str:
    """One line on a run of PPO whose episodes are no multiple of its rollouts, or nothing."""
    asked, taken = spec.ppo.episodes, episodes_taken(spec)
    if "ppo" not in spec.stages or asked == taken:
        return ""
    return (
        f"{taken:,} responses, not the {asked:,} of ppo.episodes: {iterations(spec):,} rollouts "
        f"of {spec.ppo.rollout_size:,}"
    )


def _ppo(spec: RlhfSpec) -> Iterator[Constant]:
    ppo = spec.ppo
    generation, kl, rewards = ppo.generation, ppo.kl, ppo.rewards
    total = f"{episodes_taken(spec):,} responses"
    yield Constant("NUM_ITERATIONS", iterations(spec), total)
    yield Constant("ROLLOUT_SIZE", ppo.rollout_size, "N", "ppo.rollout_size")
    yield Constant("EPOCHS", ppo.epochs, "passes over each rollout", "ppo.epochs")
    yield Constant("MINIBATCH_SIZE", ppo.minibatch_size, "responses", "ppo.minibatch_size")
    key = "ppo.generation.max_new_tokens"
    most, field = generation.max_new_tokens, "generation.max_new_tokens"
    yield Constant("MAX_NEW_TOKENS", most, key=key, field=field)
    note, key = "logits are divided by it", "ppo.generation.temperature"
    yield Constant("TEMPERATURE", generation.temperature, note, key, "generation.temperature")
    if generation.top_k is not None:
        yield Constant("TOP_K", generation.top_k, key="ppo.generation.top_k")
    if generation.top_p < 1:
        yield Constant("TOP_P", generation.top_p, key="ppo.generation.top_p")
    follows = "β of the KL penalty" + (", which follows KL_TARGET" if kl.target is not None else "")
    yield Constant("KL_WEIGHT", kl.beta, follows, "ppo.kl.beta")
    if kl.target is not None:
        yield Constant("KL_TARGET", kl.target, "nats a response", "ppo.kl.target")
        note = "responses over which β adapts"
        yield Constant("KL_HORIZON", kl.horizon, note, "ppo.kl.horizon")
    if rewards.normalize:
        yield Constant("SCALE_SAMPLES", SCALE_SAMPLES, "responses that set the scale of scores")
    if rewards.clip is not None:
        yield Constant("SCORE_CLIP", rewards.clip, key="ppo.rewards.clip")
    if rewards.missing_end is not None:
        note, key = "of a response without an end", "ppo.rewards.missing_end"
        yield Constant("MISSING_END_SCORE", rewards.missing_end, note, key)


def _losses(spec: RlhfSpec, policy: Objective, value: Objective) -> Iterator[Constant]:
    ppo = spec.ppo
    losses, entropy = ppo.losses, ppo.losses.entropy
    note, key = "γ, the discount factor of a token", "ppo.advantage.gamma"
    yield Constant("GAMMA", ppo.advantage.gamma, note, key)
    note, key = "λ of GAE: 0 for the TD error, 1 for returns", "ppo.advantage.lambda"
    yield Constant("LAMBDA", ppo.advantage.lambda_, note, key)
    if policy.uses("epsilon"):
        yield Constant("CLIP_RANGE", losses.policy.epsilon, "ε", "ppo.losses.policy.epsilon")
    for name, number in losses.policy.parameters.items():
        note = "a parameter of the policy's objective"
        key = f"ppo.losses.policy.parameters.{name}"
        yield Constant(f"OBJECTIVE_{name.upper()}", number, note, key)
    key = "ppo.losses.value.coefficient"
    yield Constant("VALUE_COEFFICIENT", losses.value.coefficient, key=key)
    if value.uses("value_clip"):
        yield Constant("VALUE_CLIP_RANGE", losses.value.clip, key="ppo.losses.value.clip")
    for name, number in losses.value.parameters.items():
        note = "a parameter of the value function's objective"
        key = f"ppo.losses.value.parameters.{name}"
        yield Constant(f"VALUE_OBJECTIVE_{name.upper()}", number, note, key)
    if entropy.beta:
        yield Constant("ENTROPY_COEFFICIENT", entropy.beta, "β", "ppo.losses.entropy.beta")
    yield from _optimizer("ppo", ppo.optimizer)
    if ppo.value_optimizer is not None:
        key = "ppo.value_optimizer.lr"
        yield Constant("VALUE_LEARNING_RATE", ppo.value_optimizer.lr, key=key)
    if ppo.target_kl is not None:
        note = "1.5 times this ends an iteration's updates"
        yield Constant("TARGET_KL", ppo.target_kl, note, "ppo.target_kl")


def _training(spec: RlhfSpec) -> Iterator[Constant]:
    every = spec.training.checkpoint_every
    if every is None:
        yield Constant("CHECKPOINTS", 10, "in each stage")
    else:
        yield Constant("CHECKPOINT_EVERY", every, "updates, or iterations of PPO")
    if "ppo" in spec.stages:
        evaluation = spec.evaluation
        temperature = evaluation.temperature
        temperature = spec.ppo.generation.temperature if temperature is None else temperature
        if evaluation.every is not None:
            key, field = "evaluation.every", "evaluation.every"
            yield Constant("EVALUATE_EVERY", evaluation.every, "iterations", key, field)
        yield Constant("EVALUATION_PROMPTS", evaluation.prompts, field="evaluation.prompts")
        note = "responses to each"
        yield Constant("EVALUATION_SAMPLES", evaluation.samples, note, field="evaluation.samples")
        yield Constant("EVALUATION_TEMPERATURE", temperature, field="evaluation.temperature")
