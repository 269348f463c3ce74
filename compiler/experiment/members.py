"""The runs of an experiment: each setting on each task with each seed, as specs of their own."""

from dataclasses import dataclass, field
from functools import cached_property

from ppoc.compiler.experiment.cells import Cell
from ppoc.compiler.experiment.changes import at
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.spec import ResolvedSpec

SEED = "training.seed"  # of every kind that runs


@dataclass(frozen=True)
class Member:
    """One run of an experiment.

    Attributes:
        name: of its folder.
        setting: what is compared with others.
        task: the environment; empty where runs have none.
        seed_at: the place of the seed in the experiment.
    """

    name: str
    setting: str
    task: str
    seed: int
    cell: Cell = field(repr=False)
    seed_at: Node = field(repr=False)

    @cached_property
    def resolved(self) -> ResolvedSpec:
        """Its spec; raises SpecError where it is wrong."""
        examined = self.cell.examined(at(SEED, self.seed_at))
        if examined.failed or examined.resolved is None:
            raise SpecError(examined.found)
        return examined.resolved

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.resolved.kind.length(self.resolved)


def seeds_of(node: Node | None, default: object) -> list[Node]:
    """The seeds of an experiment, each with its place; those of `seeds: 5` are 1 to 5."""
    node = Node(default, origin="default") if node is None else node
    if isinstance(node.value, list):
        return list(node.value)
    return [Node(seed, node.span, node.key_span, node.origin) for seed in range(1, node.value + 1)]
