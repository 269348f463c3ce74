"""How well the first two stages learnt, on what was held out."""

from pathlib import Path
from types import ModuleType

from ppoc.runtime.errors import RunError
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.rlhf.learning import demonstrations, mean_accuracy, mean_loss, preferences
from ppoc.runtime.rlhf.stage import load_tokenizer


def evaluate(module: ModuleType, root: Path) -> dict[str, dict[str, float]]:
    """The measures of each stage before PPO that has a checkpoint.

    Raises:
        RunError: none has, or nothing is held out.
        CheckpointError: a checkpoint is damaged.
        DataError: the data cannot be read.
    """
    if module.HELD_OUT == 0:
        raise RunError("nothing to evaluate on: the spec holds nothing out (data.held_out: 0)")
    tokenizer = load_tokenizer(root)
    split = (tokenizer, module.LIMITS, module.HELD_OUT, module.SEED)
    found: dict[str, dict[str, float]] = {}
    for stage in module.STAGES:
        if checkpoints.latest(root / stage / "checkpoints") is None:
            continue
        if stage == "sft":
            _, rows = demonstrations(module.FOLDER / module.DEMONSTRATIONS, *split)
            lm = module.load_policy(root, "sft", tokenizer)
            size = module.SFT_BATCH_SIZE
            found[stage] = mean_loss(module.sft_loss, lm, rows, size, tokenizer.pad)
        elif stage == "reward":
            _, rankings = preferences(module.FOLDER / module.PREFERENCES, *split)
            model = module.load_reward_model(root, tokenizer)
            size = module.REWARD_BATCH_SIZE
            found[stage] = mean_accuracy(model, rankings, size, tokenizer.pad)
    if not found:
        raise RunError(f"{root} has no checkpoint; train with `ppoc run` first")
    return found
