"""The result of compiling a spec of any kind, before it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.compiler.front.diagnostics import Diagnostic


class Decision(NamedTuple):
    """A choice of a pass, and why it was made, for `ppoc compile --explain-plan`."""

    name: str
    choice: str
    reason: str
    lacks_compiler: bool = False  # it would be compiled, if there were a C++ compiler here


@dataclass(frozen=True)
class Program:
    """A spec's module, and what its compiled folder says of it.

    Attributes:
        values: every value of the spec, as its lock has it.
        probed: paths of those that were looked up, not said.
        versions: package → its version, of those that results depend on.
        data: path in the folder → the file that is copied there, and its checksum.
        code_folders: where code that the spec names was found.
        length: steps of the run in words, where its total is no multiple of its iterations.
        features: names of those that its plan has.
        settings: key of the spec → its value, of those that the module holds.
        facts: what else of a run is known before it begins, as the manifest has it.
        plan: of an agent, what its passes made of the spec.
        members: of what is many runs, each by the name of its folder, as a checked spec.
    """

    module: str
    values: Mapping[str, Any]
    versions: Mapping[str, str]
    advice: Sequence[Diagnostic] = ()
    decisions: Sequence[Decision] = ()
    probed: frozenset[tuple[str, ...]] = frozenset()
    data: Mapping[str, tuple[Path, str]] = field(default_factory=dict)
    code_folders: Sequence[str] = ()
    length: str = ""
    features: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    plan: Any = None
    members: Mapping[str, Any] | None = None
