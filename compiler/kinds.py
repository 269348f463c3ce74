"""The kinds of spec. No other file names them all."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from ppoc.compiler.front.spec import SpecKind

# The first is the kind of a spec that does not say.
MODULES = {
    "control": "ppoc.compiler.agent.kind",
    "rlhf": "ppoc.compiler.rlhf.kind",
    "experiment": "ppoc.compiler.experiment.kind",
}


class Kinds(Mapping[str, SpecKind]):
    """Name → kind. A kind is imported when it is asked for, so that a check needs one language."""

    def __getitem__(self, name: str) -> SpecKind:
        kind: SpecKind = import_module(MODULES[name]).KIND
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


KINDS = Kinds()
