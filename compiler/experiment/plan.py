"""The plan of an experiment: what is compared, on which tasks, with which seeds."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ppoc.compiler.experiment.bases import Bases, Source
from ppoc.compiler.experiment.cells import Cell, cells
from ppoc.compiler.experiment.changes import at
from ppoc.compiler.experiment.language import ExperimentSpec
from ppoc.compiler.experiment.members import SEED, Member, seeds_of
from ppoc.compiler.experiment.search import corners, ends_of
from ppoc.compiler.experiment.settings import Setting, distinct, folder_name, settings
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.spec import Examined, find

SEEDS = ExperimentSpec.model_fields["seeds"].default
MAX_CELLS = 2_000  # settings on tasks, each of which is checked
MAX_RUNS = 20_000


class Size(NamedTuple):
    """How many settings, tasks and seeds there are; of a search, points to check."""

    settings: int
    tasks: int
    seeds: int

    @property
    def runs(self) -> int:
        """All of them together."""
        return self.settings * self.tasks * self.seeds

    @property
    def product(self) -> str:
        """The number of runs as a product, in words."""
        words = zip(("setting", "task", "seed"), self, strict=True)
        return " × ".join(f"{n:,} {word}{'s' * (n != 1)}" for word, n in words)

    @property
    def is_possible(self) -> bool:
        """Whether so many can be planned."""
        return self.settings * self.tasks <= MAX_CELLS and self.runs <= MAX_RUNS


def size(root: Node) -> Size:
    """The size of an experiment, of its document alone, as far as that is right."""

    def section(*path: str) -> list[Node]:
        node = find(root, path)
        value = node.value if node is not None else None
        return list(value.values()) if isinstance(value, dict) else []

    seeds = root.value.get("seeds", Node(SEEDS)).value
    seeds = len(seeds) if isinstance(seeds, list) else seeds if type(seeds) is int else 1
    tasks = root.value.get("tasks", Node(None)).value
    tasks = len(tasks) if isinstance(tasks, list) else 1
    if is_search(root):
        return Size(sum(len(ends_of(node)) for node in section("search", "space")), tasks or 1, 1)
    grid = [len(node.value) for node in section("vary") if isinstance(node.value, list)]
    return Size(max(1, len(section("variants"))) * math.prod(grid), tasks or 1, seeds)


def is_search(root: Node) -> bool:
    """Whether an experiment searches, rather than compares."""
    return root.value.get("search", Node(None)).value is not None


@dataclass(frozen=True)
class Plan:
    """All that an experiment runs.

    Attributes:
        settings: what is compared; of a search, what lies at the ends of its ranges.
        seeds: each with its place.
        cells: each setting on each task; a setting whose base cannot be read is left out.
        found: what is wrong with bases and tasks.
        searches: whether its runs are planned as it goes.
    """

    settings: list[Setting]
    seeds: list[Node]
    cells: list[Cell]
    found: list[Diagnostic]
    searches: bool
    root: Node = field(repr=False)
    source: Source = field(repr=False)

    @classmethod
    def of(cls, root: Node, source: Source) -> "Plan":
        """The plan of an experiment's document."""
        searches = is_search(root)
        bases = Bases(source)
        compared = corners(root) if searches else settings(root)
        made = list(cells(compared, root, bases))
        found = list(dict.fromkeys(bases.found))
        seeds = seeds_of(root.value.get("seeds"), SEEDS)
        return cls(compared, seeds, made, found, searches, root, source)

    @cached_property
    def examined(self) -> list[tuple[Cell, Examined]]:
        """Each cell with its spec, and all that is wrong with that, by the first seed."""
        return [(cell, cell.examined(at(SEED, self.seeds[0]))) for cell in self.cells]

    @cached_property
    def members(self) -> list[Member]:
        """Every run, seed by seed, so that one who stops halfway has something of all settings."""
        return [] if self.searches else _members(self.cells, self.seeds)

    def members_of(self, chosen: Sequence[Setting], seeds: Sequence[Node]) -> list[Member]:
        """The runs of other settings, such as a search tries, in the order of `members`.

        Raises:
            SpecError: a base cannot be read.
        """
        bases = Bases(self.source)
        made = list(cells(chosen, self.root, bases))
        if bases.found:
            raise SpecError(bases.found)
        return _members(made, seeds)

    @property
    def lengths(self) -> Iterator[int]:
        """Steps of each run with one seed, of those whose spec is right."""
        for _, one in self.examined:
            if one.resolved is not None and not one.failed:
                yield one.resolved.kind.length(one.resolved)


def _members(chosen: Sequence[Cell], seeds: Sequence[Node]) -> list[Member]:
    """The runs of some cells, seed by seed, each with a name of its own."""
    pairs = [(seed, cell) for seed in seeds for cell in chosen]
    named = [folder_name(cell.setting.name, cell.task, seed.value) for seed, cell in pairs]
    return [
        Member(name, cell.setting.name, cell.task, seed.value, cell, seed)
        for name, (seed, cell) in zip(distinct(named), pairs, strict=True)
    ]
