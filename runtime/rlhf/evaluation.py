"""How well the first two stages learnt, on what was held out."""

from pathlib import Path
from types import ModuleType

from ppoc.runtime.declared import language_model_of
from ppoc.runtime.errors import RunError
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.rlhf.learning import demonstrations, mean_accuracy, mean_loss, preferences
from ppoc.runtime.rlhf.stage import load_tokenizer
from ppoc.runtime.rlhf.tokens import Limits


def evaluate(module: ModuleType, root: Path) -> dict[str, dict[str, float]]:
    """The measures of each stage before PPO that has a checkpoint.

    Raises:
        RunError: none has, or nothing is held out.
        CheckpointError: a checkpoint is damaged.
        DataError: the data cannot be read.
    """
    own = language_model_of(module)
    data = own.data
    if data.held_out == 0:
        raise RunError("nothing to evaluate on: the spec holds nothing out (data.held_out: 0)")
    tokenizer = load_tokenizer(root)
    split = (tokenizer, Limits(*data.limits), data.held_out, own.seed)
    found: dict[str, dict[str, float]] = {}
    for stage in own.stages:
        if checkpoints.latest(root / stage / "checkpoints") is None:
            continue
        if stage == "sft":
            _, rows = demonstrations(data.folder / data.demonstrations, *split)
            lm = own.model.load_policy(root, "sft", tokenizer)
            size = module.SFT_BATCH_SIZE
            found[stage] = mean_loss(module.sft_loss, lm, rows, size, tokenizer.pad)
        elif stage == "reward":
            _, rankings = preferences(data.folder / data.preferences, *split)
            model = module.load_reward_model(root, tokenizer)
            size = module.REWARD_BATCH_SIZE
            found[stage] = mean_accuracy(model, rankings, size, tokenizer.pad)
    if not found:
        raise RunError(f"{root} has no checkpoint; train with `ppoc run` first")
    return found
