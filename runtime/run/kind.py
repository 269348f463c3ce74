"""The kind of a module, for launching, evaluating, reporting and diagnosing: a Protocol."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from ppoc.runtime.health.monitor import Monitor
from ppoc.runtime.health.settings import Facts
from ppoc.runtime.run.prebuild import Prebuilt
from ppoc.runtime.run.progress import Mode
from ppoc.runtime.run.run import Run


@dataclass(frozen=True)
class Wanted:
    """A request to `ppoc eval`; what is not given is as the module has it."""

    count: int | None = None  # of episodes, or of prompts
    deterministic: bool | None = None
    seed: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)  # key of `evaluation` → value


class Answer(NamedTuple):
    """An evaluation, for programs and for people."""

    document: Mapping[str, Any]
    text: str


class RunKind(Protocol):
    """Differences between runs of modules of different kinds.

    Attributes:
        name: of the kind, as the module's interface has it.
        stages: that modules of the kind may have, in their order.
        data: files that modules read, by their paths beside them.
        less_memory: what to change where memory ran out.
        evaluation_keys: those of the section `evaluation` that one evaluation may replace.
    """

    name: str
    stages: Sequence[str]
    data: Sequence[str]
    less_memory: str
    evaluation_keys: Collection[str]

    def prepare(self, module: ModuleType) -> None:
        """See that what a module needs is installed; raises RunError."""

    def inherit(self, module: ModuleType, folder: Path) -> None:
        """Copy into a run folder what its module starts from; raises RunError."""

    def place(self, folder: Path, stage: str) -> Path:
        """Where a stage leaves what it makes."""

    def unit(self, stage: str) -> str:
        """Name of a stage's steps, in the plural."""

    def steps_of(self, module: ModuleType, stage: str) -> int:
        """Steps of a whole stage; 0 where the module does not say."""

    def monitor(self, stage: str, facts: Facts) -> Monitor:
        """The monitor that finds a stage's symptoms."""

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
        """The run of a stage, to be entered; raises as `Run` does."""

    def evaluates(self, module: ModuleType) -> bool:
        """Whether a run ends with an evaluation."""

    def last_evaluation(self, module: ModuleType, folder: Path, device: str, steps: int) -> Any:
        """The evaluation that ends a run, noted in evaluations.jsonl; None if none is wanted."""

    def document(self, evaluation: Any) -> dict[str, Any]:
        """An evaluation as JSON has it."""

    def score(self, evaluation: Any) -> float:
        """An evaluation as one number, by which runs are compared; more is better."""

    def evaluation(self, document: Any) -> Any:
        """The evaluation of a document that anybody may have made; raises FormatError."""

    def describe(self, evaluation: Any) -> str:
        """An evaluation in words."""

    def evaluate(self, module: ModuleType, folder: Path, wanted: Wanted) -> Answer:
        """Evaluate what a run has learnt; raises as the runs of its kind do."""

    def prebuild(self, module: ModuleType, message: Callable[[str], None]) -> Prebuilt:
        """Compile what runs of a module compile at their first calls; raises RunError."""
