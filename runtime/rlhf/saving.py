"""A trained language model as a folder that transformers loads."""

from pathlib import Path
from types import ModuleType

from ppoc.formats.folders import remove
from ppoc.runtime.declared import language_model_of
from ppoc.runtime.errors import RunError
from ppoc.runtime.rlhf.chat import policy_stages
from ppoc.runtime.rlhf.kind import KIND
from ppoc.runtime.rlhf.stage import load_tokenizer


def save_newest(module: ModuleType, root: Path, target: Path) -> None:
    """Write the newest policy of a run folder, with its tokenizer; low-rank changes are added up.

    Raises:
        RunError: no stage has saved a policy.
        CheckpointError: its checkpoints are damaged.
        OSError: the folder cannot be written.
    """
    KIND.prepare(module)
    stages = policy_stages(module, root)
    if not stages:
        raise RunError(f"{root} has no policy yet; train with `ppoc run` first")
    tokenizer = load_tokenizer(root)
    lm = language_model_of(module).model.load_policy(root, stages[0], tokenizer).eval()
    lm.config.use_cache = True
    lm.config.eos_token_id = tokenizer.end
    lm.config.pad_token_id = tokenizer.pad
    lm.generation_config.eos_token_id = tokenizer.end
    lm.generation_config.pad_token_id = tokenizer.pad
    part = target.with_name(f".{target.name}.part")
    remove(part)
    lm.save_pretrained(part)
    tokenizer.inner.save_pretrained(part)
    if target.exists():
        target.rmdir()
    part.rename(target)
