"""The kind of spec of an experiment: many runs, and the question that they answer."""

from collections.abc import Iterator, Mapping

from ppoc.compiler.experiment.build import compile_experiment
from ppoc.compiler.experiment.document import normal
from ppoc.compiler.experiment.explanation import explain
from ppoc.compiler.experiment.language import ExperimentSpec
from ppoc.compiler.experiment.peers import PEERS
from ppoc.compiler.experiment.resolved import ExperimentResolved, of_some
from ppoc.compiler.experiment.starter import INTRODUCTION, starter
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.program import Program
from ppoc.compiler.front.rules import rules_in
from ppoc.compiler.front.values import VERSION

REQUIRED = {"ppoc": VERSION, "kind": "experiment", "name": "experiment"}


class ExperimentKind:
    """Specs of `kind: experiment`."""

    name = "experiment"
    model = ExperimentSpec
    required = REQUIRED
    peers = PEERS
    resolved = ExperimentResolved
    rules = rules_in("ppoc.compiler.experiment.rules")

    needed = ("ppoc",)
    introduction = INTRODUCTION
    task = ""
    alike = ()
    pace = ()

    def presets(self) -> Mapping[str, str]:
        """None."""
        return {}

    def starter(self, file: str, env: str, steps: int) -> str:
        """PPO with and without an entropy bonus in an environment."""
        return starter(file, env, steps)

    def try_starter(self, resolved: ExperimentResolved, *, trust: bool) -> None:
        """Try what its first run names."""
        first = resolved.members[0].resolved
        first.kind.try_starter(first, trust=trust)

    def layered(self, user: Node, found: list[Diagnostic]) -> Node:
        """The document with one way to write each of its keys."""
        return normal(user, found)

    def placed(self, document: Node) -> Node:
        """The document itself: none of its values names a file."""
        return document

    def probed(
        self, resolved: ExperimentResolved, *, right: bool, trust: bool
    ) -> Iterator[Diagnostic]:
        """Problems that the environments and files of its runs show, each setting and task once."""
        if not resolved.can_plan:
            return
        made = [(cell, one.resolved, one.failed) for cell, one in resolved.examined]
        yield from of_some(
            (cell, list(spec.kind.probed(spec, right=right and not failed, trust=trust)))
            for cell, spec, failed in made
            if spec is not None
        )

    def length(self, resolved: ExperimentResolved) -> int:
        """None of its own: its runs have lengths."""
        return 0

    def compile(self, resolved: ExperimentResolved, *, trust: bool = False) -> Program:
        """Its runs, each a spec to compile; raises nothing."""
        return compile_experiment(resolved)

    def explain(self, resolved: ExperimentResolved, *, tex: bool = False) -> str:
        """The comparison in words, and how much it is; in LaTeX, the objectives of its settings."""
        return explain(resolved, tex=tex)


KIND = ExperimentKind()
