"""The parts that a run takes from others: the policy and the reward model it does not make."""

import shutil
from pathlib import Path
from types import ModuleType

from ppoc.formats.folders import check_folder, remove
from ppoc.formats.reading import FormatError, read_regular
from ppoc.runtime.declared import language_model_of
from ppoc.runtime.errors import RunError
from ppoc.runtime.interface import LanguageModel
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.rlhf.models import load, merge_lora, trained
from ppoc.runtime.rlhf.stage import MAX_TOKENIZER, STAGES, TOKENIZER, load_tokenizer, saved

BACKEND = "tokenizer.json"


def inherit(module: ModuleType, root: Path) -> None:
    """Copy into a run folder what its module starts from, where that is not there yet.

    What is copied is the run's own from then on, whatever becomes of the others.

    Raises:
        RunError: another run lacks what is wanted of it, or their tokenizers differ.
        CheckpointError: a checkpoint of it is damaged.
    """
    model = language_model_of(module).model
    policy, reward = model.start, model.start_reward
    if policy is not None and checkpoints.latest(root / "start" / "checkpoints") is None:
        _tokenizer(Path(policy), root)
        _policy(model, Path(policy), root)
    if reward is not None and checkpoints.latest(root / "reward" / "checkpoints") is None:
        _tokenizer(Path(reward), root)
        groups = {"reward": saved(Path(reward), "reward")["reward"]}
        tensors = {f"{g}.{name}": t for g, part in groups.items() for name, t in part.items()}
        (root / "reward").mkdir(exist_ok=True)
        checkpoints.save(root / "reward" / "checkpoints", 0, tensors, {"steps": 0})


def _tokenizer(other: Path, root: Path) -> None:
    """Take the tokenizer of another run, which must be that of the run folder if it has one."""
    theirs, own = other / TOKENIZER, root / TOKENIZER
    if not theirs.is_dir():
        raise RunError(f"{other} is not the folder of an rlhf run: it has no tokenizer")
    try:
        check_folder(other)
    except (OSError, FormatError) as error:
        raise RunError(f"cannot start from {other}: {error}") from error
    if not own.is_dir():
        part = root / f".{TOKENIZER}.part"
        remove(part)
        shutil.copytree(theirs, part)
        part.rename(own)
    elif _backend(theirs) != _backend(own):
        raise RunError(
            f"{other} has another tokenizer than the other run that this one starts from, and a "
            "reward model must read what the policy writes"
        )


def _backend(tokenizer: Path) -> bytes:
    try:
        return read_regular(tokenizer / BACKEND, MAX_TOKENIZER)
    except (OSError, FormatError) as error:
        raise RunError(f"cannot read {tokenizer / BACKEND}: {error}") from error


def _policy(model: LanguageModel, other: Path, root: Path) -> None:
    """Save the newest policy of another run with all its weights as the stage `start`."""
    stages = [s for s in STAGES if s != "reward"]
    there = [s for s in stages if checkpoints.latest(other / s / "checkpoints") is not None]
    if not there:
        raise RunError(f"{other} has no policy to start from; train it first")
    lm = model.make(load_tokenizer(root))
    if checkpoints.latest(other / "start" / "checkpoints") is not None:
        load(lm, saved(other, "start")["policy"])
    if model.add_lora is not None:
        for stage in there:
            load(model.add_lora(lm), saved(other, stage)["policy"])
            merge_lora(lm)
        lm.requires_grad_()
    else:
        load(lm, saved(other, there[-1])["policy"])
    tensors = {f"policy.{name}": tensor for name, tensor in trained(lm).items()}
    (root / "start").mkdir(exist_ok=True)
    checkpoints.save(root / "start" / "checkpoints", 0, tensors, {"steps": 0})
