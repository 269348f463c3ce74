"""The engines by their names, each imported when it is asked for."""

from collections.abc import Callable

from ppoc.compiler.experiment.language.engine import Engine as EngineSpec
from ppoc.experiments.engine import Engine
from ppoc.experiments.local import LocalEngine
from ppoc.experiments.planning import Plan

NAMES = ("local",)


def engine_named(
    spec: EngineSpec, name: str | None, planned: Plan, say: Callable[[str], None]
) -> Engine:
    """The engine of a spec.

    Args:
        name: of another one, asked for at the terminal.
        planned: for this machine.
        say: tells people of what they should know while it runs.
    """
    return LocalEngine(planned, say)
