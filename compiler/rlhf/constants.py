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
        Constant("KIND", "rlhf"),
        Constant("NAME", spec.name),
        Constant("STAGES", tuple(spec.stages)),
        Constant("SEED", spec.training.seed),
        Constant("DEVICE", spec.training.device),
        *([Constant("DTYPE", spec.model.dtype, "of products")] * (spec.model.dtype != "float32")),
    ]
    yield list(_data(spec, files))
    yield list(_model(spec, places))
    yield list(_start(spec, places))
    if "sft" in spec.stages:
        yield [
            Constant("SFT_EPOCHS", spec.sft.epochs),
            Constant("SFT_BATCH_SIZE", spec.sft.batch_size),
            *_optimizer("SFT_", spec.sft.optimizer),
        ]
    if "reward" in spec.stages:
        yield list(_reward(spec))
    if "ppo" in spec.stages:
        yield list(_ppo(spec))
        yield list(_losses(spec, policy, value))
    yield list(_training(spec))


def reference(spec: RlhfSpec) -> str:
    """The stage whose policy PPO and the reward model start from."""
    if "sft" in spec.stages:
        return "sft"
    return "base" if spec.start.policy in (None, "base") else "start"


def _data(spec: RlhfSpec, files: Mapping[str, str]) -> Iterator[Constant]:
    for role in ("demonstrations", "preferences", "prompts"):
        if role in files:
            yield Constant(role.upper(), files[role], OF_DATA)
    yield Constant("HELD_OUT", spec.data.held_out, "share of the prompts kept for evaluation")
    yield Constant("MAX_PROMPT_TOKENS", spec.data.max_prompt_tokens)
    yield Constant("MAX_RESPONSE_TOKENS", spec.data.max_response_tokens, "end of text included")
    yield Constant("OVERLONG", spec.data.overlong)


def _model(spec: RlhfSpec, places: Mapping[str, str]) -> Iterator[Constant]:
    model = spec.model
    if model.config is not None:
        yield Constant("ARCHITECTURE", model.config.architecture)
        yield Constant("LAYERS", model.config.layers)
        yield Constant("HEADS", model.config.heads)
        yield Constant("HIDDEN_SIZE", model.config.hidden_size, "H")
        yield Constant("CONTEXT", model.config.context, "tokens of prompt and response")
        yield Constant("DROPOUT", model.config.dropout)
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
        yield Constant("LORA_RANK", model.lora.rank)
        yield Constant("LORA_ALPHA", model.lora.alpha, "changes are scaled by alpha / rank")
        yield Constant("LORA_DROPOUT", model.lora.dropout)
        yield Constant("LORA_TARGETS", targets, "" if targets else "attention and perceptrons")
        learns = ("sft", "ppo") if reference(spec) == "sft" else ("ppo",)
        yield Constant("LEARNS_POLICY", learns, "stages, each with a change of its own")


def _start(spec: RlhfSpec, places: Mapping[str, str]) -> Iterator[Constant]:
    if "policy" in places:
        yield Constant("START_POLICY", places["policy"], "run folder whose newest policy is first")
    if "reward" in places:
        yield Constant("START_REWARD", places["reward"], "run folder of the reward model")
    of_reward = "reward" in spec.stages and spec.reward.start == "sft"
    if "ppo" in spec.stages or of_reward:
        note = {
            "sft": "stage whose policy is the first of those after it",
            "start": "START_POLICY's is the first policy",
            "base": "the first policy is the model itself",
        }
        yield Constant("REFERENCE", reference(spec), note[reference(spec)])


def _optimizer(prefix: str, optimizer: Optimizer) -> Iterator[Constant]:
    yield from _rate(f"{prefix}LEARNING_RATE", optimizer.lr, optimizer.schedule)
    if optimizer.warmup:
        yield Constant(f"{prefix}WARMUP", optimizer.warmup, "share of updates with a rising rate")
    if optimizer.epsilon != ADAM_EPSILON:
        yield Constant(f"{prefix}ADAM_EPSILON", optimizer.epsilon)
    if optimizer.weight_decay:
        yield Constant(f"{prefix}WEIGHT_DECAY", optimizer.weight_decay)
    limit = optimizer.max_grad_norm
    none = limit is None
    yield Constant(f"{prefix}MAX_GRAD_NORM", float("inf") if none else limit, "none" * none)


def _rate(name: str, value: float, schedule: Any) -> Iterator[Constant]:
    points = isinstance(schedule, list)
    note = f"times {name}_SCHEDULE's factor" if points else FALLS.get(str(schedule), "")
    yield Constant(name, value, note)
    if points:
        pairs = tuple(zip(*schedule, strict=True))
        yield Constant(f"{name}_SCHEDULE", pairs, "progress, and factors")


def _reward(spec: RlhfSpec) -> Iterator[Constant]:
    reward = spec.reward
    yield Constant("REWARD_EPOCHS", reward.epochs)
    yield Constant("REWARD_BATCH_SIZE", reward.batch_size, "rankings")
    if reward.margin:
        yield Constant("REWARD_MARGIN", reward.margin, "by which the better score is to be higher")
    if reward.center:
        yield Constant("REWARD_CENTER", reward.center, "weight of the mean squared score")
    yield from _optimizer("REWARD_", reward.optimizer)


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
    yield Constant("ROLLOUT_SIZE", ppo.rollout_size, "N")
    yield Constant("EPOCHS", ppo.epochs, "passes over each rollout")
    yield Constant("MINIBATCH_SIZE", ppo.minibatch_size, "responses")
    yield Constant("MAX_NEW_TOKENS", generation.max_new_tokens)
    yield Constant("TEMPERATURE", generation.temperature, "logits are divided by it")
    if generation.top_k is not None:
        yield Constant("TOP_K", generation.top_k)
    if generation.top_p < 1:
        yield Constant("TOP_P", generation.top_p)
    follows = "β of the KL penalty" + (", which follows KL_TARGET" if kl.target is not None else "")
    yield Constant("KL_WEIGHT", kl.beta, follows)
    if kl.target is not None:
        yield Constant("KL_TARGET", kl.target, "nats a response")
        yield Constant("KL_HORIZON", kl.horizon, "responses over which β adapts")
    if rewards.normalize:
        yield Constant("SCALE_SAMPLES", SCALE_SAMPLES, "responses that set the scale of scores")
    if rewards.clip is not None:
        yield Constant("SCORE_CLIP", rewards.clip)
    if rewards.missing_end is not None:
        yield Constant("MISSING_END_SCORE", rewards.missing_end, "of a response without an end")


def _losses(spec: RlhfSpec, policy: Objective, value: Objective) -> Iterator[Constant]:
    ppo = spec.ppo
    losses, entropy = ppo.losses, ppo.losses.entropy
    yield Constant("GAMMA", ppo.advantage.gamma, "γ, the discount factor of a token")
    yield Constant("LAMBDA", ppo.advantage.lambda_, "λ of GAE: 0 for the TD error, 1 for returns")
    if policy.uses("epsilon"):
        yield Constant("CLIP_RANGE", losses.policy.epsilon, "ε")
    for name, number in losses.policy.parameters.items():
        yield Constant(f"OBJECTIVE_{name.upper()}", number, "a parameter of the policy's objective")
    yield Constant("VALUE_COEFFICIENT", losses.value.coefficient)
    if value.uses("value_clip"):
        yield Constant("VALUE_CLIP_RANGE", losses.value.clip)
    for name, number in losses.value.parameters.items():
        note = "a parameter of the value function's objective"
        yield Constant(f"VALUE_OBJECTIVE_{name.upper()}", number, note)
    if entropy.beta:
        yield Constant("ENTROPY_COEFFICIENT", entropy.beta, "β")
    yield from _optimizer("", ppo.optimizer)
    if ppo.value_optimizer is not None:
        yield Constant("VALUE_LEARNING_RATE", ppo.value_optimizer.lr)
    if ppo.target_kl is not None:
        yield Constant("TARGET_KL", ppo.target_kl, "1.5 times this ends an iteration's updates")


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
            yield Constant("EVALUATE_EVERY", evaluation.every, "iterations")
        yield Constant("EVALUATION_PROMPTS", evaluation.prompts)
        yield Constant("EVALUATION_SAMPLES", evaluation.samples, "responses to each")
        yield Constant("EVALUATION_TEMPERATURE", temperature)
