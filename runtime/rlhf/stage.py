"""One of the three stages of a run, and what it takes from those before it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
import torch

from ppoc.formats.folders import check_files
from ppoc.formats.reading import FormatError
from ppoc.runtime.declared import language_model_of
from ppoc.runtime.errors import RunError
from ppoc.runtime.health.settings import facts_of
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.records import evaluations
from ppoc.runtime.rlhf.signs import LIMITS
from ppoc.runtime.rlhf.symptoms import monitor
from ppoc.runtime.rlhf.tokenizers import Tokenizer, pretrained_tokenizer, save_tokenizer
from ppoc.runtime.run.layout import Groups
from ppoc.runtime.run.progress import Mode
from ppoc.runtime.run.run import Run
from ppoc.runtime.run.saving import Checkpoint

STAGES = ("sft", "reward", "ppo")
UNITS = {"sft": "updates", "reward": "updates", "ppo": "answers"}  # that steps are
TOKENIZER = "tokenizer"
MAX_TOKENIZER = 2**28  # bytes of one of its files


class Stage(Run):
    """Services that a generated module's `train_sft`, `train_reward` and `train_ppo` need.

    Attributes:
        root: the run folder, of which `folder` is the stage's part.
        name: sft, reward or ppo.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        *,
        device: str,
        mode: Mode,
        module: ModuleType,
        resume: bool = False,
    ) -> None:
        """Open a stage, where it was left if it is resumed; raises as `Run` does.

        Args:
            module: whose settings say what is unhealthy for it.
        """
        self.root, self.name, self.stage = root, name, name
        self.unit = UNITS[name]
        self.limits = LIMITS[name]
        folder = root / name
        folder.mkdir(exist_ok=True)
        begun = any((folder / left).exists() for left in ("metrics.csv", "checkpoints"))
        own = language_model_of(module)
        healthy = monitor(name, facts_of(own))
        self._dtype = own.model.dtype
        super().__init__(folder, device=device, resume=resume and begun, mode=mode, monitor=healthy)

    def __enter__(self) -> Self:
        """Matrix products in the type that the module says; weights are learnt in float32."""
        super().__enter__()
        if self._dtype != "float32":
            # Without its cache: a cast weight that is kept would be older than it after a step.
            cast = torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False)
            self._resources.enter_context(cast)
        return self

    def tokenizer(self, make: Callable[[], Any]) -> Tokenizer:
        """The run's tokenizer, made and saved where no stage has done so yet."""
        folder = self.root / TOKENIZER
        if not folder.is_dir():
            save_tokenizer(make(), folder)
        return load_tokenizer(self.root)

    def message(self, text: str, health: Mapping[str, Any] | None = None) -> None:
        """Say something beside the progress display, as `Run.message` does."""
        super().message(text if health is None else f"{self.name}: {text}", health)

    def _kept(self) -> str:
        advice = f"\n`ppoc diagnose {self.root}` says what to change"
        if self.last_saved is not None:
            return super()._kept() + advice
        earlier = [s for s in STAGES if checkpoints.latest(self.root / s / "checkpoints")]
        kept = f"; what {' and '.join(earlier)} learnt is kept" if earlier else ""
        return f"{self.name} has no checkpoint yet{kept}{advice}"

    def record(self, steps: int, values: Mapping[str, float]) -> None:
        """Append an evaluation on what was held out to evaluations.jsonl, and say it."""
        evaluations.append(self.folder, {"steps": steps, **values})
        text = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in values.items())
        self.message(f"{self.name}, held out, after {steps:,} {self.unit}: {text}")
        self._watch.check_evaluation(steps, values)


def load_tokenizer(root: Path) -> Tokenizer:
    """The tokenizer that a run folder keeps.

    Raises:
        RunError: it has none, or a damaged one.
    """
    folder = root / TOKENIZER
    if not folder.is_dir():
        raise RunError(f"{root} has no tokenizer yet; train with `ppoc run` first")
    try:
        check_files(folder, MAX_TOKENIZER)
    except (OSError, FormatError) as error:
        raise RunError(f"no tokenizer at {folder}: {error}") from error
    return Tokenizer(pretrained_tokenizer(str(folder)))


def saved(root: Path, stage: str) -> Checkpoint:
    """The tensors that a stage of a run folder has learnt: those of the newest good checkpoint.

    Raises:
        RunError: the stage has not saved anything.
        CheckpointError: none of its checkpoints can be read.
    """
    newest = checkpoints.load_newest(root / stage / "checkpoints")
    if newest is None:
        raise RunError(f"{root} has no checkpoint of the stage {stage}; train it first")
    return Groups(newest.tensors, newest.path)


def rng(seed: int, stage: str, iteration: int) -> np.random.Generator:
    """Random numbers of an iteration of a stage, the same whenever it is asked for."""
    return np.random.default_rng((seed, STAGES.index(stage) + 1, iteration))


def seed_of(seed: int, stage: str, iteration: int) -> int:
    """A seed for torch's own generator, which dropout draws from."""
    return int(rng(seed, stage, iteration).integers(2**63))
