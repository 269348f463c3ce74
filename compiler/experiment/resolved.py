"""A checked spec of an experiment, and the runs that it means."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ppoc.compiler.experiment.bases import Source
from ppoc.compiler.experiment.cells import Cell
from ppoc.compiler.experiment.inlined import inlined
from ppoc.compiler.experiment.language import ExperimentSpec
from ppoc.compiler.experiment.members import Member
from ppoc.compiler.experiment.plan import Plan, size
from ppoc.compiler.experiment.settings import Setting
from ppoc.compiler.front.diagnostics import Diagnostic, ordered
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.rules import Phase
from ppoc.compiler.front.spec import Examined, Origin, Path, ResolvedSpec, find

MISPLACED = "E305"
PLANNED_BY = ("base", "set.*", "variants.*", "vary.*", "search.space.*", "tasks", "seeds", "name")


@dataclass(frozen=True)
class ExperimentResolved(ResolvedSpec):
    """A checked spec of an experiment."""

    spec: ExperimentSpec

    @property
    def can_plan(self) -> bool:
        """Whether all is right that its plan follows from, and it is no larger than one may be."""
        return not self.lacks(PLANNED_BY) and size(self.root).is_possible

    @cached_property
    def plan(self) -> Plan:
        """All that it runs; only where `can_plan`."""
        kinds = {name: kind for name, kind in self.kinds.items() if name != self.kind.name}
        path = self.folder / "experiment.yaml"  # what it names is beside it, whatever its own name
        return Plan.of(self.root, Source(self.source_text, path, kinds))

    @cached_property
    def whole(self) -> Node:
        """Its document with its bases in it; files have their absolute names."""
        return inlined(self.root, self.plan.cells)

    def origin(self, path: Path) -> Origin:
        """The origin of a value, which may be one of a base."""
        node = find(self.whole if self.can_plan else self.root, path)
        return Origin(node.origin, node.span) if node is not None else Origin("default")

    @property
    def settings(self) -> list[Setting]:
        """Everything that is compared; of a search, what lies at the ends of its ranges."""
        return self.plan.settings

    @property
    def seeds(self) -> list[Node]:
        """The seeds, each with its place."""
        return self.plan.seeds

    @property
    def cells(self) -> list[Cell]:
        """Each setting on each task; a setting whose base cannot be read is left out."""
        return self.plan.cells

    @property
    def examined(self) -> list[tuple[Cell, Examined]]:
        """Each cell with its spec, and all that is wrong with that, by the first seed."""
        return self.plan.examined

    @property
    def members(self) -> list[Member]:
        """Every run, seed by seed; a search has none, for its runs are planned as it goes."""
        return self.plan.members

    def members_of(self, chosen: Sequence[Setting], seeds: Sequence[Node]) -> list[Member]:
        """The runs of other settings, such as a search tries, in the order of `members`.

        Raises:
            SpecError: a base cannot be read.
        """
        return self.plan.members_of(chosen, seeds)

    def findings(self, phase: Phase, *given: Any) -> list[Diagnostic]:
        """Everything that the rules of a phase find.

        Those of the spec's phase include the rules of its plan and, of its runs, all that checks
        find.
        """
        found = super().findings(phase, *given)
        if phase is not Phase.SPEC or not self.can_plan:
            return found
        planned = super().findings(Phase.PLANNED, self.plan)
        misplaced = [diagnostic for diagnostic in planned if diagnostic.code == MISPLACED]
        if misplaced:  # the runs are not what is meant
            return self.unsuppressed([*found, *self.plan.found, *misplaced])
        own = [*found, *self.plan.found, *planned]
        told = {diagnostic.span for diagnostic in own} - {None}
        runs = of_some((cell, examined.found) for cell, examined in self.plan.examined)
        return self.unsuppressed([*own, *(d for d in runs if d.span not in told)])


def of_some(found: Iterable[tuple[Cell, Sequence[Diagnostic]]]) -> list[Diagnostic]:
    """Problems of cells, each once; one that not all settings have names those that do."""
    names: dict[Diagnostic, dict[str, None]] = {}
    everyone: dict[str, None] = {}
    for cell, diagnostics in found:
        everyone[cell.setting.name] = None
        for diagnostic in diagnostics:
            names.setdefault(diagnostic, {})[cell.setting.name] = None
    told = []
    for diagnostic in ordered(names):
        having = list(names[diagnostic])
        message = diagnostic.message
        if len(having) < len(everyone):
            message = f"in {quoted(having)}: {message}"
        told.append(replace(diagnostic, message=message))
    return told


def quoted(names: Sequence[str]) -> str:
    """A few names between ticks, and how many more there are."""
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
