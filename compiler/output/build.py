"""From a resolved spec of any kind to the files of a compiled folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.program import Decision
from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.compiler.output import ownership
from ppoc.compiler.output.lock import lock_text
from ppoc.compiler.output.manifest import LOCK, MANIFEST, MODULE, manifest_text, sha256
from ppoc.formats.files import copy_whole, write_whole

__all__ = ["LOCK", "MANIFEST", "MODULE", "Compiled", "compile_spec"]


@dataclass(frozen=True)
class Compiled:
    """The texts of a compiled folder, and the data files that go with them.

    Attributes:
        plan: of an agent, what the passes made of its spec.
        decisions: of the passes, and why.
        data: path in the folder → the file that is copied there.
        length: steps of the run in words, where its total is no multiple of its iterations.
        members: of what is many runs, each by the name of its folder; None of one run.
    """

    name: str
    module: str
    lock: str
    manifest: str
    warnings: list[Diagnostic]
    plan: Any = None
    decisions: Sequence[Decision] = ()
    data: Mapping[str, Path] = field(default_factory=dict)
    length: str = ""
    members: "Mapping[str, Compiled] | None" = None

    def write(self, folder: Path) -> None:
        """Write the files into a folder, made if need be; the module is known as own.

        Raises:
            OSError: the folder cannot be written, or a data file not read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in self.data.items():
            copy_whole(source, folder / name)
        for name, text in self.texts.items():
            write_whole(folder / name, text)
        if self.members is None:
            ownership.remember(sha256(self.module))
        for name, member in (self.members or {}).items():
            member.write(folder / name)

    @property
    def texts(self) -> dict[str, str]:
        """The files of the folder itself; what is many runs has no module of its own."""
        own = {MODULE: self.module} if self.members is None else {}
        return {**own, LOCK: self.lock, MANIFEST: self.manifest}


def compile_spec(resolved: ResolvedSpec, *, trust: bool = False) -> Compiled:
    """Compile a spec of any kind.

    With `trust`, code that the spec names is imported.

    Raises:
        SpecError: its environment or files are not what the spec needs.
    """
    program = resolved.kind.compile(resolved, trust=trust)
    lock = lock_text(resolved, program)
    name: str = program.values["name"]
    members = None
    texts = {MODULE: program.module, LOCK: lock}
    if program.members is not None:
        members = {
            name: compile_spec(member, trust=trust) for name, member in program.members.items()
        }
        texts = {LOCK: lock}
    manifest = manifest_text(resolved.kind.name, name, texts, program)
    return Compiled(
        name,
        program.module,
        lock,
        manifest,
        [*resolved.warnings, *program.advice],
        program.plan,
        program.decisions,
        {path: source for path, (source, _) in program.data.items()},
        program.length,
        members,
    )
