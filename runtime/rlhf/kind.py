"""Runs of a language model: stages, each in a folder of its own, compared at the end."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ppoc.runtime.declared import language_model_of
from ppoc.runtime.errors import RunError
from ppoc.runtime.health.monitor import Monitor
from ppoc.runtime.health.settings import Facts
from ppoc.runtime.records import evaluations
from ppoc.runtime.rlhf.comparison import Comparison, compare, comparison_of, table
from ppoc.runtime.rlhf.evaluation import evaluate
from ppoc.runtime.rlhf.stage import STAGES, UNITS, Stage
from ppoc.runtime.rlhf.start import inherit
from ppoc.runtime.rlhf.symptoms import monitor
from ppoc.runtime.run.kind import Answer, Wanted
from ppoc.runtime.run.prebuild import Prebuilt
from ppoc.runtime.run.progress import Mode
from ppoc.runtime.run.report import measured

LESS_MEMORY = (
    "a smaller batch_size of sft and reward, a smaller ppo.minibatch_size or ppo.rollout_size, "
    "shorter texts and model.lora need less"
)


class LanguageModelRuns:
    """Runs of language models; see `RunKind`."""

    name = "rlhf"
    stages = STAGES
    data = tuple(f"data/{role}.jsonl" for role in ("demonstrations", "preferences", "prompts"))
    less_memory = LESS_MEMORY
    evaluation_keys = ("prompts", "samples", "temperature")

    def prepare(self, module: ModuleType) -> None:
        """See that the packages are there which the module needs, and keep them quiet."""
        wanted = [
            "transformers",
            "tokenizers",
            *(["peft"] if language_model_of(module).model.add_lora else []),
        ]
        missing = [name for name in wanted if find_spec(name) is None]
        if missing:
            raise RunError(f"{', '.join(missing)} is not installed: pip install 'ppoc[rlhf]'")
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def inherit(self, module: ModuleType, folder: Path) -> None:
        """Copy the policy or the reward model of another run that this one starts from."""
        inherit(module, folder)

    def place(self, folder: Path, stage: str) -> Path:
        """A folder of the stage's name."""
        return folder / stage

    def unit(self, stage: str) -> str:
        """Updates, or answers."""
        return UNITS[stage]

    def monitor(self, stage: str, facts: Facts) -> Monitor:
        """The monitor of a stage."""
        return monitor(stage, facts)

    def steps_of(self, module: ModuleType, stage: str) -> int:
        """0 where the length of the data decides."""
        return language_model_of(module).total_steps.get(stage, 0)

    def open(
        self,
        module: ModuleType,
        folder: Path,
        stage: str,
        *,
        device: str,
        resume: bool,
        mode: Mode,
        rollbacks: int | None,
    ) -> Stage:
        """The stage, from where it was left."""
        return Stage(folder, stage, device=device, mode=mode, module=module, resume=resume)

    def evaluates(self, module: ModuleType) -> bool:
        """Whether there is a policy of before PPO and one of after it."""
        return language_model_of(module).evaluation is not None

    def last_evaluation(
        self, module: ModuleType, folder: Path, device: str, steps: int
    ) -> Comparison | None:
        """Compare the policy with the one it started from; the evaluations of PPO end with that."""
        if not self.evaluates(module):
            return None
        comparison = compare(module, folder, device=device)
        wanted = language_model_of(module).evaluation
        if wanted and wanted.every and steps:
            evaluations.drop_after(folder / "ppo", steps - 1)
            evaluations.append(folder / "ppo", {"steps": steps, "score": comparison.after.score})
        return comparison

    def document(self, evaluation: Comparison) -> dict[str, Any]:
        """The comparison, with its examples."""
        return evaluation.document()

    def score(self, evaluation: Comparison) -> float:
        """The mean score of answers after PPO, with which the comparison begins."""
        return evaluation.after.score

    def evaluation(self, document: Any) -> Comparison:
        """The comparison of such a document."""
        return comparison_of(document)

    def describe(self, evaluation: Comparison | None) -> str:
        """The comparison as a table."""
        return "" if evaluation is None else f"\n{table(evaluation)}\n"

    def evaluate(self, module: ModuleType, folder: Path, wanted: Wanted) -> Answer:
        """Compare anew; before PPO, measure the stages on what was held out."""
        if not self.evaluates(module):
            document = evaluate(module, folder)
            return Answer(document, "\n".join(measured(document)))
        given: dict[str, Any] = {
            "count": wanted.count or wanted.values.get("prompts"),
            "samples": wanted.values.get("samples"),
            "temperature": wanted.values.get("temperature"),
        }
        generation = language_model_of(module).generation
        if wanted.deterministic is not None and generation is not None:
            given["temperature"] = 0.0 if wanted.deterministic else generation.temperature
        found = compare(module, folder, seed=wanted.seed, **given)
        return Answer(found.document(), table(found))

    def prebuild(self, module: ModuleType, message: Callable[[str], None]) -> Prebuilt:
        """Nothing: a stage compiles as it begins."""
        message(
            "nothing to do beforehand: what a language model's stages compile, each compiles "
            "as it begins, and finds it kept in later runs"
        )
        return Prebuilt([], [])


KIND = LanguageModelRuns()
