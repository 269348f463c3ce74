"""From a resolved spec of `kind: rlhf` to a compiled folder, its data beside its module."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ppoc.compiler.emission.cxx import what_is_lost
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.program import Decision
from ppoc.compiler.output.build import write_texts
from ppoc.compiler.output.manifest import LOCK, MANIFEST, MODULE, manifest_text
from ppoc.compiler.rlhf.constants import length_in_words, reference
from ppoc.compiler.rlhf.emit import emit
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.lock import lock_text
from ppoc.compiler.rlhf.passes import COMPILED, choose_compiling
from ppoc.compiler.rlhf.probe import probe
from ppoc.compiler.rlhf.resolved import RlhfResolved
from ppoc.formats.files import copy_whole

DATA = "data"
COPIES = tuple(f"{DATA}/{role}.jsonl" for role in ("demonstrations", "preferences", "prompts"))
PACKAGES = ("ppoc", "torch", "numpy", "transformers", "tokenizers", "peft")


@dataclass(frozen=True)
class RlhfCompiled:
    """The texts of a compiled folder, and the data files that go with them."""

    name: str
    module: str
    lock: str
    manifest: str
    warnings: list[Diagnostic]
    data: Mapping[str, Path] = field(default_factory=dict)  # path in the folder → the file
    decisions: Sequence[Decision] = ()
    length: str = ""  # of ppo, where its episodes are no multiple of a rollout

    def write(self, folder: Path) -> None:
        """Write the files into a folder, made if need be; equal files are left alone.

        Raises:
            OSError: the folder cannot be written, or a data file not read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in self.data.items():
            copy_whole(source, folder / name)
        write_texts(folder, {MODULE: self.module, LOCK: self.lock, MANIFEST: self.manifest})


def compile_rlhf(resolved: RlhfResolved) -> RlhfCompiled:
    """Emit the module of a spec, and say what goes beside it.

    The data is copied, so that a run has what it learns from whatever becomes of the originals.

    Raises:
        SpecError: a file or a folder that the spec names is not there, or not as it must be.
    """
    spec = resolved.spec
    facts, warnings = probe(resolved)
    roles = dict(_roles(spec))
    places = dict(_places(resolved))
    files = {role: f"{DATA}/{roles[role]}.jsonl" for role in roles}
    decisions = choose_compiling(spec, facts)
    compiled = {stage for stage, decision in decisions.items() if decision.choice == COMPILED}
    module = emit(spec, files, places, compiled)
    used = dict(_versions())
    lock = lock_text(resolved, used, {roles[role]: name for role, name in files.items()})
    data = {files[role]: facts.files[key].path for role, key in roles.items()}
    checksums = {files[role]: facts.files[key].sha256 for role, key in roles.items()}
    text = manifest_text(spec.name, {MODULE: module, LOCK: lock}, (), used, checksums)
    chosen = tuple(decisions.values())
    lost = resolved.advice(what_is_lost(resolved, [*chosen]))
    found = [*resolved.warnings, *warnings, *lost]
    return RlhfCompiled(spec.name, module, lock, text, found, data, chosen, length_in_words(spec))


def _roles(spec: RlhfSpec) -> Iterator[tuple[str, str]]:
    """The data files that the module reads: what for, and the key that names them."""
    bpe = isinstance(spec.model.tokenizer, dict)
    if "sft" in spec.stages or (bpe and spec.data.demonstrations is not None):
        yield "demonstrations", "demonstrations"
    if "reward" in spec.stages:
        yield "preferences", "preferences"
    if "ppo" in spec.stages:
        yield "prompts", "demonstrations" if spec.data.prompts is None else "prompts"


def _places(resolved: RlhfResolved) -> Iterator[tuple[str, str]]:
    """Where the models and runs are that the spec names; folders by their whole path."""
    spec = resolved.spec
    model, own = spec.model, spec.model.tokenizer
    if model.id is not None:
        yield "model", _model_place(resolved, "id", model.id)
        if own is None:
            yield "tokenizer", _model_place(resolved, "id", model.id)
    if isinstance(own, str) and own != "byte":
        yield "tokenizer", _model_place(resolved, "tokenizer", own)
    if reference(spec) == "start":
        yield "policy", str(resolved.file("start", "policy"))
    if "ppo" in spec.stages and spec.start.reward is not None:
        yield "reward", str(resolved.file("start", "reward"))


def _model_place(resolved: RlhfResolved, key: str, named: str) -> str:
    path = resolved.file("model", key)
    return str(path) if path.is_dir() else named


def _versions() -> Iterator[tuple[str, str]]:
    for name in sorted(PACKAGES):
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
