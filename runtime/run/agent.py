"""Runs of an agent: one stage, in the run folder itself, and an evaluation of whole episodes."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ppoc.runtime.declared import agent_of
from ppoc.runtime.evaluation.evaluate import describe
from ppoc.runtime.evaluation.statistics import Summary
from ppoc.runtime.health.monitor import Monitor, agent_monitor
from ppoc.runtime.health.settings import Facts
from ppoc.runtime.records import evaluations
from ppoc.runtime.run.failures import LESS_MEMORY
from ppoc.runtime.run.kind import Answer, Wanted
from ppoc.runtime.run.numbers import numbers
from ppoc.runtime.run.prebuild import Prebuilt, prebuild
from ppoc.runtime.run.progress import Mode
from ppoc.runtime.run.run import Run
from ppoc.runtime.run.trained import evaluate_run

COUNTS = ("episodes", "cut", "cut_after")  # of a Summary


class AgentRuns:
    """Runs of agents; see `RunKind`."""

    name = "control"
    stages = ("train",)
    data = ()
    less_memory = LESS_MEMORY
    evaluation_keys = ("episodes", "deterministic", "max_steps", "num_envs")

    def prepare(self, module: ModuleType) -> None:
        """Nothing: what agents need comes with ppoc."""

    def inherit(self, module: ModuleType, folder: Path) -> None:
        """Nothing: an agent starts from its seed."""

    def place(self, folder: Path, stage: str) -> Path:
        """The run folder itself."""
        return folder

    def unit(self, stage: str) -> str:
        """Steps of the environments."""
        return "steps"

    def monitor(self, stage: str, facts: Facts) -> Monitor:
        """The monitor of an agent."""
        return agent_monitor(facts)

    def steps_of(self, module: ModuleType, stage: str) -> int:
        """Environment steps of the whole run."""
        return agent_of(module).total_steps[stage]

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
    ) -> Run:
        """The run, from its newest checkpoint where it is resumed."""
        return Run(
            folder, device=device, resume=resume, mode=mode, module=module, rollbacks=rollbacks
        )

    def evaluates(self, module: ModuleType) -> bool:
        """Whether the module asks for episodes at the end."""
        return bool(agent_of(module).evaluation.episodes)

    def last_evaluation(
        self, module: ModuleType, folder: Path, device: str, steps: int
    ) -> Summary | None:
        """Evaluate the last checkpoint as it lies on disk."""
        if not self.evaluates(module):
            return None
        summary = evaluate_run(module, folder)
        evaluations.drop_after(folder, steps - 1)  # one that died before its result has it already
        evaluations.append(folder, {"steps": steps, **summary._asdict()})
        return summary

    def document(self, evaluation: Summary) -> dict[str, Any]:
        """The numbers of a summary."""
        return evaluation._asdict()

    def score(self, evaluation: Summary) -> float:
        """The mean return."""
        return evaluation.mean

    def evaluation(self, document: Any) -> Summary:
        """The summary of such numbers."""
        found: Any = numbers(document, Summary._fields, COUNTS, "its evaluation")
        return Summary(**found)

    def describe(self, evaluation: Summary | None) -> str:
        """The summary in a line."""
        if evaluation is None:
            return "`evaluation.episodes` is 0; `ppoc eval` evaluates"
        return describe(evaluation)

    def evaluate(self, module: ModuleType, folder: Path, wanted: Wanted) -> Answer:
        """Evaluate the newest checkpoint."""
        given = {"episodes": wanted.count, "deterministic": wanted.deterministic}
        terms = {**wanted.values, **{key: x for key, x in given.items() if x is not None}}
        summary = evaluate_run(module, folder, seed=wanted.seed, **terms)
        return Answer(self.document(summary), describe(summary))

    def prebuild(self, module: ModuleType, message: Callable[[str], None]) -> Prebuilt:
        """Compile the updates and rollouts that runs compile."""
        return prebuild(module, message)


KIND = AgentRuns()
