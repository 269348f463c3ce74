"""From a resolved spec of `kind: rlhf` to its program, and the data that goes beside it."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ppoc.compiler.emission.constants import settings
from ppoc.compiler.emission.features import feature_names, listed
from ppoc.compiler.front.program import Program
from ppoc.compiler.front.rules import Phase
from ppoc.compiler.rlhf.constants import episodes_taken, length_in_words, reference
from ppoc.compiler.rlhf.emit import emit
from ppoc.compiler.rlhf.features import features_of
from ppoc.compiler.rlhf.features.models import constants_of
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.passes import COMPILED, choose_compiling
from ppoc.compiler.rlhf.plan import RlhfPlan
from ppoc.compiler.rlhf.probe import probe
from ppoc.compiler.rlhf.resolved import RlhfResolved

DATA = "data"
COPIES = tuple(f"{DATA}/{role}.jsonl" for role in ("demonstrations", "preferences", "prompts"))
PACKAGES = ("ppoc", "torch", "numpy", "transformers", "tokenizers", "peft")


def compile_rlhf(resolved: RlhfResolved) -> Program:
    """Emit the module of a spec, and say what goes beside it.

    The data is copied, so that a run has what it learns from whatever becomes of the originals.

    Raises:
        SpecError: a file or a folder that the spec names is not there, or not as it must be.
    """
    spec = resolved.spec
    facts, warnings = probe(resolved)
    roles = dict(_roles(spec))
    files = {role: f"{DATA}/{roles[role]}.jsonl" for role in roles}
    decisions = choose_compiling(spec, facts)
    compiled = {stage for stage, decision in decisions.items() if decision.choice == COMPILED}
    chosen = tuple(decisions.values())
    lost = resolved.findings(Phase.DECIDED, chosen)
    plan = RlhfPlan(spec, files, dict(_places(resolved)), compiled)
    features = features_of(plan)
    ppo_steps = {"ppo": episodes_taken(spec)} if plan.has("ppo") else {}
    return Program(
        emit(spec, files, plan.places, compiled),
        values_of(resolved, {roles[role]: name for role, name in files.items()}),
        dict(_versions()),
        [*warnings, *lost],
        chosen,
        length=length_in_words(spec),
        features=feature_names(features),
        settings=settings(constants_of(plan), listed(features, "settings")),
        facts={"total_steps": ppo_steps},
        data={
            files[role]: (facts.files[key].path, facts.files[key].sha256)
            for role, key in roles.items()
        },
    )


def values_of(resolved: RlhfResolved, copies: dict[str, str]) -> dict[str, Any]:
    """Every value of a spec, as its lock has it.

    Names of files are absolute, for a lock lies elsewhere, but for those of `copies`: keys of
    `data` whose files are copied beside it, and where.
    """
    values: dict[str, Any] = resolved.spec.model_dump(mode="json", by_alias=True, exclude={"lock"})
    for path in resolved.files():
        section = values
        for step in path[:-1]:
            section = section[step]
        section[path[-1]] = str(resolved.file(*path))
    values["data"] |= copies
    return values


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
