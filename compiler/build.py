"""From a resolved spec to the three files of a compiled folder."""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ppoc.compiler.diagnostics import Diagnostic
from ppoc.compiler.emit import emit
from ppoc.compiler.fit import plan_for
from ppoc.compiler.lints import rewards_are_large
from ppoc.compiler.lock import lock_text
from ppoc.compiler.passes import run_passes
from ppoc.compiler.plan import Plan
from ppoc.compiler.probe import probe, versions
from ppoc.compiler.resolve import Resolved

FORMAT = 1
MODULE, LOCK, MANIFEST = "module.py", "spec.lock.yaml", "manifest.json"


@dataclass(frozen=True)
class Compiled:
    """The texts of a compiled folder, and the plan they came from."""

    plan: Plan
    module: str
    lock: str
    manifest: str
    warnings: list[Diagnostic]

    def write(self, folder: Path) -> None:
        """Write the three files into a folder, made if need be; equal files are left alone.

        Raises:
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        texts = {MODULE: self.module, LOCK: self.lock, MANIFEST: self.manifest}
        for name, text in texts.items():
            part = folder / f"{name}.part"
            part.write_text(text, encoding="utf-8", newline="\n")
            part.replace(folder / name)


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
    manifest = {
        "format": FORMAT,
        "name": resolved.spec.name,
        "sha256": {MODULE: _sha256(module), LOCK: _sha256(lock)},
        "plan": [{"pass": d.name, "choice": d.choice, "reason": d.reason} for d in plan.decisions],
        "versions": dict(sorted(used.items())),
    }
    advice = resolved.advice(rewards_are_large(resolved, facts.reward_range))
    text = json.dumps(manifest, indent=2) + "\n"
    return Compiled(plan, module, lock, text, [*resolved.warnings, *advice])


def edited(folder: Path) -> bool:
    """Whether the module of a compiled folder differs from what its manifest says.

    Raises:
        OSError, ValueError, KeyError: the folder is not a whole compiled folder.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    text = (folder / MODULE).read_text(encoding="utf-8")
    return bool(manifest["sha256"][MODULE] != _sha256(text))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
