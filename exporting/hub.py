"""A run as a folder for a model hub: a model card, the spec, the module, weights, evaluation.

The folder is a run folder too, so that whoever downloads it can `ppoc eval` it.
"""

import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.resolved import as_agent
from ppoc.compiler.compact import spec_text
from ppoc.compiler.output.build import LOCK, MANIFEST, MODULE
from ppoc.compiler.output.manifest import FolderError, read_manifest
from ppoc.compiler.resolve import resolve
from ppoc.exporting import interface
from ppoc.exporting.policy import ExportError
from ppoc.formats.files import copy_whole, write_whole
from ppoc.formats.reading import FormatError
from ppoc.formats.text import markdown, markdown_block, markdown_code, printable
from ppoc.runtime.envs.vector import EnvironmentFailure
from ppoc.runtime.evaluation.statistics import Summary
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.layout import check_policy, whole_steps
from ppoc.runtime.run.results import read_result
from ppoc.runtime.run.saving import load_newest
from ppoc.runtime.run.trained import evaluate_run

CARD, SPEC, EVALUATION = "README.md", "spec.yaml", "evaluation.json"
MOST_VERSIONS = 20
UNKNOWN = "its environment cannot be made here"
NEEDED = ("parameters", "observations", "std")  # groups of a checkpoint that acting reads


def export(module: ModuleType, folder: Path, out: Path) -> None:
    """Write the hub folder of a run into `out`, which is new or empty.

    Raises:
        ExportError: the run folder lacks a file. RunError: it lacks a checkpoint.
        SpecError: its lock is damaged. CheckpointError: its checkpoints are.
        EnvironmentFailure: it has no evaluation, and its environment cannot be made.
        OSError: a folder cannot be read or written.
    """
    missing = [name for name in (MODULE, LOCK, MANIFEST) if not (folder / name).is_file()]
    if missing:
        raise ExportError(f"{folder} lacks {', '.join(missing)}: give the folder of a finished run")
    spec = as_agent(resolve(folder / LOCK)).spec
    try:
        manifest = read_manifest(folder)
    except FolderError as error:
        raise ExportError(str(error)) from error
    groups, metadata = load_newest(folder)
    steps = whole_steps(metadata, groups.path)
    check_policy(module, groups)
    summary = _recorded(folder, steps) or evaluate_run(module, folder)
    kept = {f"{group}.{name}": t for group in NEEDED for name, t in groups.get(group, {}).items()}
    out.mkdir(parents=True, exist_ok=True)
    metadata = {**metadata, "policy_only": True}
    saved = checkpoints.save(out / "checkpoints", steps, kept, metadata)
    for name in (MODULE, LOCK, MANIFEST):
        copy_whole(folder / name, out / name)
    text = compact(spec)
    write_whole(out / SPEC, text)
    row = {"steps": steps, **summary._asdict()}
    write_whole(out / EVALUATION, json.dumps(row, indent=2) + "\n")
    described = _interface(module, out)
    weights = (saved / checkpoints.TENSORS).relative_to(out)
    origin = "trained by Stable-Baselines3" if metadata.get("source") else "trained by ppoc"
    card = "\n".join(_card(spec, text, row, origin, str(weights), manifest.versions, described))
    write_whole(out / CARD, card + "\n")


def _interface(module: ModuleType, out: Path) -> list[str]:
    """Write what the policy takes and gives, as JSON; the same in lines of text."""
    try:
        environment = interface.given(module)
    except EnvironmentFailure:
        return [UNKNOWN]
    text = interface.document(environment, module.ENV_ID)
    write_whole(out / interface.FILE, text + "\n")
    return interface.lines(environment)


def compact(spec: AgentSpec) -> str:
    """A small spec that means what a lock's does."""
    values = spec.model_dump(mode="json", by_alias=True, exclude={"lock", "ppoc", "name"})
    return spec_text(spec.name, spec.algorithm, values)


def _recorded(folder: Path, steps: int) -> Summary | None:
    """The evaluation that ended the run, if it is of this checkpoint."""
    try:
        result = read_result(folder)
    except (OSError, FormatError):
        return None
    return result.evaluation if result.steps == steps else None


def _cut(row: Mapping[str, Any]) -> Iterator[str]:
    if row["cut"]:
        yield (
            f"{row['cut']} of the episodes had not ended after {row['cut_after']:,} steps: these "
            "were cut, and count with their return so far."
        )
        yield ""


def _card(
    spec: AgentSpec,
    text: str,
    row: Mapping[str, Any],
    origin: str,
    weights: str,
    versions: Mapping[str, str],
    described: list[str],
) -> Iterator[str]:
    """The lines of the model card; the front matter is as model hubs of agents read it."""
    env, algorithm = _yaml(spec.env.id), _yaml(spec.algorithm)
    reward = f"{row['mean']:.2f} +/- {row['std']:.2f}"
    yield from (
        "---",
        "library_name: ppoc",
        "pipeline_tag: reinforcement-learning",
        f"tags: [reinforcement-learning, deep-reinforcement-learning, ppoc, {algorithm}, {env}]",
        "model-index:",
        f"  - name: {_yaml(spec.name)}",
        "    results:",
        "      - task: {type: reinforcement-learning, name: reinforcement-learning}",
        f"        dataset: {{name: {env}, type: {env}}}",
        "        metrics:",
        f"          - {{type: mean_reward, value: {reward}, name: mean_reward, verified: false}}",
        "---",
        "",
        f"# {markdown(spec.name)}",
        "",
        f"An agent for {markdown_code(spec.env.id)}, {origin} with {markdown_code(spec.algorithm)} "
        f"for {row['steps']:,} steps. ppoc is the compiler for policy-gradient agents.",
        "",
        "## Evaluation",
        "",
        "| episodes | mean return | std | interquartile mean | its 95% interval |",
        "| --- | --- | --- | --- | --- |",
        f"| {row['episodes']} | {row['mean']:.2f} | {row['std']:.2f} | {row['iqm']:.2f} "
        f"| {row['iqm_low']:.2f} to {row['iqm_high']:.2f} |",
        "",
        *_cut(row),
        "The interval is a percentile bootstrap over the episodes, so it says nothing of other "
        "seeds of training. `ppoc eval FOLDER` measures again; it runs `module.py` only if that is "
        f"what `{LOCK}` compiles to.",
        "",
        "## Inputs and outputs",
        "",
        *(f"- {html.escape(line, quote=False)}" for line in described),
        "",
        "The module's own functions take observations laid out as one array; `ppoc export --format "
        "onnx` writes a file that takes these.",
        "",
        "## Files",
        "",
        f"- `{SPEC}`: what was asked for; `{LOCK}`: every value of it, and where each came from",
        f"- `{MODULE}`: the training program, to be read; `ppoc eject` puts beside it what it "
        "needs to run without ppoc",
        f"- `{weights}`: the weights, and the statistics of observations where they are normalised",
        f"- `{EVALUATION}`: the evaluation; `{MANIFEST}`: checksums and versions",
        *([f"- `{interface.FILE}`: inputs and outputs"] if described != [UNKNOWN] else []),
        "",
        "## Spec",
        "",
        markdown_block(text.rstrip(), "yaml"),
        "",
        f"Made with {', '.join(_made_with(versions))}.",
    )


def _made_with(versions: Mapping[str, str]) -> list[str]:
    """Packages and their versions, as the manifest has them, which may be anybody's."""
    known = sorted(versions.items())[:MOST_VERSIONS]
    return [f"{markdown(name[:80])} {markdown(number[:80])}" for name, number in known]


def _yaml(text: str) -> str:
    """A text as YAML reads it back."""
    return json.dumps(printable(text), ensure_ascii=False)
