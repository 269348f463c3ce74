"""The checkpoints of a run: what it goes on from, what belongs in one, and the last one saved."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray
from torch import Tensor

from ppoc.formats.files import sync_folder
from ppoc.runtime.errors import RunError
from ppoc.runtime.health.divergence import rollbacks_of
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.layout import Groups, check_training, whole_steps

Checkpoint = Mapping[str, Mapping[str, Tensor]]
State = Callable[[], Mapping[str, Tensor | NDArray[Any]]]


@runtime_checkable
class Stateful(Protocol):
    """An object whose state a checkpoint holds."""

    def state(self) -> Mapping[str, Tensor | NDArray[Any]]: ...

    def load(self, state: Any) -> None: ...


class Resumed(NamedTuple):
    """Facts of the checkpoint that a run goes on from."""

    steps: int
    rollbacks: int
    surroundings: Any


class Saving:
    """The checkpoints of a run, before and from now on.

    Attributes:
        checkpoint: the groups of tensors to resume from; None at the start of a run.
        last_saved: the last good checkpoint.
        steps: of the last one that this run has saved.
    """

    def __init__(self, folder: Path) -> None:
        self.checkpoint: Groups | None = None
        self.last_saved: Path | None = None
        self.steps = 0
        self._folder = folder / "checkpoints"
        self._owned: dict[str, State] = {}

    def resume(self, module: ModuleType | None) -> Resumed | None:
        """Take the newest good checkpoint; None where nothing was saved yet.

        Args:
            module: whose checkpoint it must be.

        Raises:
            RunError: it holds a policy alone.
            CheckpointError: there are some and none can be read, or it is of another module.
        """
        checkpoints.clean(self._folder)
        newest = checkpoints.load_newest(self._folder)
        if newest is None:
            return None
        for path, _ in newest.damaged:
            checkpoints.set_aside(path)
        if newest.metadata.get("policy_only"):
            raise RunError(f"{newest.path} holds a policy alone: evaluate it, or train anew")
        steps = whole_steps(newest.metadata, newest.path)
        rollbacks = rollbacks_of(newest.metadata, newest.path)
        self.last_saved = newest.path
        self.checkpoint = Groups(newest.tensors, newest.path)
        if module is not None:
            check_training(module, self.checkpoint, steps)
        return Resumed(steps, rollbacks, newest.metadata.get("surroundings"))

    def owns(self, **things: Stateful | State) -> None:
        """Make things part of each checkpoint, by the names of their groups.

        One that has `state()` and `load(state)` goes on from the checkpoint that the run resumes. A
        function says the tensors of a value that `train` loads itself, and replaces by others.
        """
        for name, thing in things.items():
            if isinstance(thing, Stateful):
                if self.checkpoint is not None:
                    thing.load(self.checkpoint[name])
                self._owned[name] = thing.state
            else:
                self._owned[name] = thing

    def tensors(
        self, groups: Mapping[str, Mapping[str, Tensor | NDArray[Any]]]
    ) -> dict[str, Tensor | NDArray[Any]]:
        """Tensors that the run owns, and of groups beside it, by `group.name`."""
        owned = {name: state() for name, state in self._owned.items()}
        return {
            f"{group}.{name}": tensor
            for group, part in {**owned, **groups}.items()
            for name, tensor in part.items()
        }

    def write(
        self, steps: int, tensors: Mapping[str, Tensor | NDArray[Any]], metadata: dict[str, Any]
    ) -> None:
        """Write a checkpoint, atomically, after all that the folder holds."""
        self._folder.mkdir(exist_ok=True)
        sync_folder(self._folder.parent)
        self.last_saved = checkpoints.save(self._folder, steps, tensors, metadata)
        self.steps = steps


def load_newest(folder: Path) -> tuple[Groups, dict[str, Any]]:
    """The newest good checkpoint of a run folder: its groups of tensors, and its metadata.

    Raises:
        RunError: it has none.
        CheckpointError: it has some, and none can be read.
    """
    newest = checkpoints.load_newest(folder / "checkpoints")
    if newest is None:
        raise RunError(f"{folder} has no checkpoint; train with `ppoc run` first")
    return Groups(newest.tensors, newest.path), newest.metadata
