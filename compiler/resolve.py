"""From a spec file or text, of any kind, to a checked spec."""

from collections.abc import Sequence
from pathlib import Path

from ppoc.compiler.front import resolve as front
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.spec import Examined, ResolvedSpec
from ppoc.compiler.kinds import KINDS


def examine(path: Path, overrides: Sequence[str] = ()) -> Examined:
    """Every problem of a spec file that can be found in it alone."""
    return front.examine(path, overrides, KINDS)


def resolve(path: Path, overrides: Sequence[str] = ()) -> ResolvedSpec:
    """The checked spec of a file.

    Raises:
        SpecError: with every problem of the spec that can be found in it alone.
    """
    return _right(examine(path, overrides))


def resolve_text(text: str, name: str, overrides: Sequence[str] = ()) -> ResolvedSpec:
    """The checked spec of a text, which diagnostics call `name`; raises as `resolve` does."""
    return _right(front.examine_text(text, Path(name), overrides, KINDS))


def _right(examined: Examined) -> ResolvedSpec:
    if examined.failed or examined.resolved is None:
        raise SpecError(examined.found)
    return examined.resolved
