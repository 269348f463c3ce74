"""A checked spec of an experiment, and the runs that it means."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ppoc.compiler.experiment.cells import Cell, Source, cells
from ppoc.compiler.experiment.changes import at
from ppoc.compiler.experiment.language import ExperimentSpec
from ppoc.compiler.experiment.members import SEED, Member, seeds_of
from ppoc.compiler.experiment.search import corners
from ppoc.compiler.experiment.settings import Setting, distinct, folder_name, settings
from ppoc.compiler.front.diagnostics import Diagnostic, ordered
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.rules import Phase
from ppoc.compiler.front.spec import Examined, ResolvedSpec

PLANNED_BY = ("base", "set.*", "variants.*", "vary.*", "search.*", "tasks", "seeds", "name")


@dataclass(frozen=True)
class ExperimentResolved(ResolvedSpec):
    """A checked spec of an experiment."""

    spec: ExperimentSpec

    @cached_property
    def settings(self) -> list[Setting]:
        """Everything that is compared; of a search, what lies at the ends of its ranges."""
        return corners(self.root) if self.spec.search is not None else settings(self.root)

    @cached_property
    def seeds(self) -> list[Node]:
        """The seeds, each with its place."""
        return seeds_of(self.root.value.get("seeds"), self.spec.seeds)

    @cached_property
    def _planned(self) -> tuple[list[Cell], list[Diagnostic]]:
        kinds = {name: kind for name, kind in self.kinds.items() if name != self.kind.name}
        source = Source(self.source_text, self.folder / "experiment.yaml", kinds)
        return cells(self.settings, self.root, source)

    @property
    def cells(self) -> list[Cell]:
        """Each setting on each task; a setting whose base cannot be read is left out."""
        return self._planned[0]

    @cached_property
    def examined(self) -> list[tuple[Cell, Examined]]:
        """Each cell with its spec, and all that is wrong with that, by the first seed."""
        return [(cell, cell.examined(at(SEED, self.seeds[0]))) for cell in self.cells]

    @cached_property
    def members(self) -> list[Member]:
        """Every run, seed by seed, so that one who stops halfway has something of all settings.

        A search has none: its runs are planned as it goes.
        """
        if self.spec.search is not None:
            return []
        chosen = [(seed, cell) for seed in self.seeds for cell in self.cells]
        named = [folder_name(cell.setting.name, cell.task, seed.value) for seed, cell in chosen]
        return [
            Member(name, cell.setting.name, cell.task, seed.value, cell, seed)
            for name, (seed, cell) in zip(distinct(named), chosen, strict=True)
        ]

    def findings(self, phase: Phase, *given: Any) -> list[Diagnostic]:
        """Everything that the rules of a phase find and, of its runs, all that checks find."""
        found = super().findings(phase, *given)
        if phase is not Phase.SPEC or self.lacks(PLANNED_BY):
            return found
        return self.unsuppressed([*found, *self._planned[1], *self._of_runs()])

    def _of_runs(self) -> Iterator[Diagnostic]:
        """Problems of the runs; of one that only some settings have, the message names these."""
        return of_some((cell, examined.found) for cell, examined in self.examined)


def of_some(found: Any) -> Iterator[Diagnostic]:
    """Problems of cells, each once; one that not all settings have names those that do.

    Args:
        found: pairs of a cell and its problems.
    """
    names: dict[Diagnostic, dict[str, None]] = {}
    everyone: dict[str, None] = {}
    for cell, diagnostics in found:
        everyone[cell.setting.name] = None
        for diagnostic in diagnostics:
            names.setdefault(diagnostic, {})[cell.setting.name] = None
    for diagnostic in ordered(names):
        having = [f"`{name}`" for name in names[diagnostic]]
        if len(having) == len(everyone):
            yield diagnostic
            continue
        some = ", ".join(having[:3]) + (f" and {len(having) - 3} more" if len(having) > 3 else "")
        yield replace(diagnostic, message=f"in {some}: {diagnostic.message}")
