"""From a resolved spec to the three files of a compiled folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ppoc.compiler.agent.emit import emit
from ppoc.compiler.agent.env_checks import plan_for
from ppoc.compiler.agent.evaluation_checks import episodes_may_never_end
from ppoc.compiler.agent.last_iteration import length_in_words
from ppoc.compiler.agent.observed_checks import advice_on
from ppoc.compiler.agent.passes import run_passes
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.probe import probe, versions
from ppoc.compiler.agent.resolved import Resolved
from ppoc.compiler.emission.cxx import what_is_lost
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.program import Decision
from ppoc.compiler.front.spec import Document
from ppoc.compiler.output import ownership
from ppoc.compiler.output.lock import lock_text
from ppoc.compiler.output.manifest import LOCK, MANIFEST, MODULE, manifest_text, sha256
from ppoc.formats.files import write_whole

if TYPE_CHECKING:
    from ppoc.compiler.rlhf.build import RlhfCompiled

__all__ = ["LOCK", "MANIFEST", "MODULE", "Compiled", "compile_spec"]


@dataclass(frozen=True)
class Compiled:
    """The texts of a compiled folder, and the plan they came from."""

    plan: Plan
    module: str
    lock: str
    manifest: str
    warnings: list[Diagnostic]

    @property
    def name(self) -> str:
        """What the agent is called."""
        return self.plan.spec.name

    @property
    def length(self) -> str:
        """How long the run takes, where its total is no multiple of its iterations."""
        return length_in_words(self.plan.spec)

    @property
    def decisions(self) -> Sequence[Decision]:
        """What the passes decided, and why."""
        return self.plan.decisions

    def write(self, folder: Path) -> None:
        """Write the three files into a folder, made if need be; equal files are left alone.

        Raises:
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_texts(folder, {MODULE: self.module, LOCK: self.lock, MANIFEST: self.manifest})


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the texts of a compiled folder, each whole or not at all; its module is known as own.

    Raises:
        OSError: the folder cannot be written.
    """
    for name, text in texts.items():
        write_whole(folder / name, text)
    ownership.remember(sha256(texts[MODULE]))


def compile_spec(resolved: Document, *, trust: bool = False) -> "Compiled | RlhfCompiled":
    """Compile a spec of any kind.

    Raises:
        SpecError: as `compile_spec`, or `compile_rlhf`.
    """
    if isinstance(resolved, Resolved):
        return compile_spec(resolved, trust=trust)
    from ppoc.compiler.rlhf.build import compile_rlhf
    from ppoc.compiler.rlhf.resolved import RlhfResolved

    assert isinstance(resolved, RlhfResolved)
    return compile_rlhf(resolved)


def compile_spec(resolved: Resolved, *, trust: bool = False) -> Compiled:
    """Probe the environment of a resolved spec, plan, and emit.

    With `trust`, code that the spec names is imported.

    Raises:
        SpecError: the environment is unknown, cannot be made, or has spaces ppoc cannot handle.
    """
    facts = probe(resolved, trust=trust)
    plan = run_passes(plan_for(resolved, facts))
    used = {name: version(name) for name in ("ppoc", "torch", "numpy")}
    used.update(versions(plan.facts.backend))
    module = emit(plan)
    lock = lock_text(resolved, plan, used)
    texts = {MODULE: module, LOCK: lock}
    manifest = manifest_text(resolved.spec.name, texts, plan.decisions, used)
    found = [
        *advice_on(resolved, facts),
        *episodes_may_never_end(resolved, facts),
        *what_is_lost(resolved, plan.decisions),
    ]
    advice = resolved.advice(found)
    return Compiled(plan, module, lock, manifest, [*resolved.warnings, *advice])
