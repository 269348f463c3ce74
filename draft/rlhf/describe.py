"""The way back: a spec of `kind: rlhf` in English that `ppoc draft` turns into the same spec."""

from collections.abc import Mapping
from typing import Any

from ppoc.compiler.rlhf.resolved import RlhfResolved
from ppoc.draft.rlhf.compose import compose
from ppoc.draft.rlhf.reader import read
from ppoc.draft.spec.drafts import NothingToDraftError
from ppoc.draft.spec.paths import values_of
from ppoc.draft.text.points import in_words

NAMES = {"sft": "SFT", "reward": "reward model", "ppo": "PPO"}
OPTIMIZER = {
    "lr": "learning rate {}",
    "warmup": "warmup {}",
    "weight_decay": "weight decay {}",
    "max_grad_norm": "gradient norm {}",
}
NUMBERS = {
    "model.config.layers": "{} layers",
    "model.config.heads": "{} heads",
    "model.config.hidden_size": "hidden size {}",
    "model.config.context": "context length {}",
    "model.config.dropout": "dropout {}",
    "model.lora.rank": "LoRA rank {}",
    "model.lora.alpha": "LoRA alpha {}",
    "model.lora.dropout": "LoRA dropout {}",
    "data.held_out": "{} held out",
    "data.max_prompt_tokens": "max prompt length {}",
    "data.max_response_tokens": "max response tokens {}",
    "sft.epochs": "{} epochs",
    "sft.batch_size": "batch size {}",
    "reward.epochs": "{} epochs",
    "reward.batch_size": "batch size {}",
    "reward.margin": "margin {}",
    "reward.center": "centring {}",
    "ppo.episodes": "{} episodes",
    "ppo.rollout_size": "rollout size {}",
    "ppo.minibatch_size": "minibatch size {}",
    "ppo.epochs": "{} epochs",
    "ppo.generation.max_new_tokens": "{} new tokens",
    "ppo.generation.temperature": "temperature {}",
    "ppo.generation.top_p": "top-p {}",
    "ppo.generation.top_k": "top-k {}",
    "ppo.kl.beta": "KL coefficient {}",
    "ppo.kl.target": "KL target {}",
    "ppo.kl.horizon": "horizon {}",
    "ppo.advantage.gamma": "gamma {}",
    "ppo.advantage.lambda": "lambda {}",
    "ppo.losses.policy.epsilon": "clip range {}",
    "ppo.losses.value.clip": "value clip {}",
    "ppo.losses.value.coefficient": "value coefficient {}",
    "ppo.losses.entropy.beta": "entropy coefficient {}",
    "ppo.rewards.clip": "reward clip {}",
    "ppo.value_optimizer.lr": "value learning rate {}",
    "ppo.target_kl": "target KL {}",
    "evaluation.prompts": "evaluate on {} prompts",
    "evaluation.samples": "evaluation with {} samples per prompt",
    "evaluation.every": "evaluate every {} iterations",
    "training.seed": "seed {}",
    "training.checkpoint_every": "checkpoint every {}",
    **{f"{s}.optimizer.{key}": words for s in NAMES for key, words in OPTIMIZER.items()},
}
SENTENCES: dict[tuple[str, str | bool | None], str] = {
    ("model.tokenizer", "byte"): "byte tokenizer",
    ("model.dtype", "bfloat16"): "bfloat16",
    ("model.dtype", "float32"): "float32",
    ("data.overlong", "drop"): "drop longer ones",
    ("data.overlong", "truncate"): "truncate longer ones",
    ("sft.loss_on", "all"): "loss on all tokens",
    ("sft.loss_on", "response"): "loss on the response",
    ("reward.objective", "plackett-luce"): "Plackett-Luce",
    ("reward.objective", "pairs"): "Bradley-Terry",
    ("reward.start", "base"): "reward model from the base model",
    ("reward.start", "sft"): "reward model from the supervised model",
    ("ppo.kl.estimator", "k1"): "k1 estimator",
    ("ppo.kl.estimator", "k2"): "k2 estimator",
    ("ppo.kl.estimator", "k3"): "k3 estimator",
    ("ppo.advantage.whiten", True): "whitened advantages",
    ("ppo.advantage.whiten", False): "no advantage whitening",
    ("ppo.rewards.normalize", True): "normalised rewards",
    ("ppo.rewards.normalize", False): "no reward normalisation",
    ("ppo.rewards.missing_end", None): "no missing EOS penalty",
    ("ppo.losses.value.clip", None): "no value clipping",
    ("ppo.value", "separate"): "a separate value network",
    ("ppo.value", "shared"): "a shared value head",
    ("start.policy", "base"): "starting from the base model",
    ("training.device", "cpu"): "on the CPU",
    ("training.device", "cuda"): "on the GPU",
    **{(f"{s}.optimizer.max_grad_norm", None): "no gradient clipping" for s in NAMES},
    **{(f"{s}.optimizer.schedule", "cosine"): "cosine schedule" for s in NAMES},
    **{(f"{s}.optimizer.schedule", "linear"): "linear decay" for s in NAMES},
    **{(f"{s}.optimizer.schedule", "constant"): "constant schedule" for s in NAMES},
}
ARCHITECTURES = {"gpt2": "a new GPT-2", "llama": "a new llama", "gpt_neox": "a new GPT-NeoX"}
FIRST = ("stages", "model.id", "model.config.architecture", "kind")


def describe(resolved: RlhfResolved) -> tuple[str, list[str]]:
    """A spec in English, and the paths of values that this English has no words for.

    The words are read again, and what the draft would fill in otherwise is said too.
    """
    wanted = values_of(resolved)
    own = [
        ".".join(path)
        for path, node in resolved.root.leaves()
        if node.origin in ("spec", "extends", "override")
    ]
    said: dict[str, str] = {}
    for path in own:
        _say(path, wanted, said)
    for path in _differences(_text(wanted, said), wanted):
        _say(path, wanted, said)
    text = _text(wanted, said)
    return text, _differences(text, wanted)


def say(path: str, value: Any) -> str | None:
    """One value in words, after the stage that it is of, or None where there are none."""
    words = None if path in FIRST else _words(path, {path: value})
    stage = path.partition(".")[0]
    return f"{NAMES[stage]}: {words}" if words and stage in NAMES else words


def _text(wanted: Mapping[str, Any], said: Mapping[str, str]) -> str:
    """A sentence on all stages, then one on each."""
    stages = wanted["stages"]
    model = wanted.get("model.id") or ARCHITECTURES[wanted["model.config.architecture"]]
    first = f"RLHF on {model}"
    if stages != list(NAMES):
        names = [NAMES[stage] for stage in stages]
        first = f"{' and '.join(names)} only, on {model}"
    general = [words for path, words in said.items() if path.partition(".")[0] not in NAMES]
    lines = [", ".join([first, *general])]
    for stage in stages:
        words = [words for path, words in said.items() if path.partition(".")[0] == stage]
        if words:
            lines.append(f"{NAMES[stage]}: {', '.join(words)}")
    return ". ".join(lines) + "."


def _differences(text: str, wanted: Mapping[str, Any]) -> list[str]:
    """Paths of values that the draft of a text has otherwise."""
    try:
        drafted = values_of(compose(read(text)).resolved)
    except NothingToDraftError:
        drafted = {}
    paths = [path for path in wanted if path.partition(".")[0] not in ("name", "lock")]
    return [path for path in paths if drafted.get(path, ...) != wanted[path]]


def _say(path: str, wanted: Mapping[str, Any], said: dict[str, str]) -> None:
    """Put a value into words, where there are any."""
    words = None if path in FIRST else _words(path, wanted)
    if words:
        said[path] = words


def _words(path: str, wanted: Mapping[str, Any]) -> str | None:
    if path.startswith("model.tokenizer") and "model.tokenizer.bpe" in wanted:
        return f"BPE vocabulary of {wanted['model.tokenizer.bpe']}"
    value = wanted.get(path, ...)
    hashable = isinstance(value, str | bool | None)
    if hashable and (path, value) in SENTENCES:
        return SENTENCES[path, value]
    if path.endswith(".schedule") and isinstance(value, list):
        return f"the rate follows {in_words(value)}"
    if path.startswith("data.") and isinstance(value, str):
        return f"{path.removeprefix('data.')} in {value}"
    if path == "start.policy" and isinstance(value, str):
        return f"starting from the policy in {value}"
    if path == "start.reward" and isinstance(value, str):
        return f"the rewards from {value}"
    if path == "ppo.kl.beta" and value == 0:
        return "no KL penalty"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if path == "ppo.rewards.missing_end":
        return f"missing EOS penalty {-value!r}" if value < 0 else None
    digits = f"{value:,}" if isinstance(value, int) and value >= 10_000 else f"{value!r}"
    words = NUMBERS[path].format(digits) if path in NUMBERS else None
    return words.removesuffix("s") if words and value == 1 and words.startswith("1 ") else words
