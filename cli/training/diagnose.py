"""`ppoc diagnose`: what went wrong in this run, and what should be tried?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, RunFolder, refuse_experiment
from ppoc.cli.options import RunPath, Trust
from ppoc.formats.text import printable

if TYPE_CHECKING:
    from ppoc.runtime.diagnosis import Diagnosis
    from ppoc.runtime.health.findings import Finding

FORMAT = 1
SHOWN = 3  # changes of a cause


def diagnose(
    path: RunPath,
    format: Annotated[
        Literal["text", "json"], typer.Option(help="How to print what was found.")
    ] = "text",
    replay: Annotated[
        bool, typer.Option("--replay", help="Make the newest update that diverged again.")
    ] = False,
    modified: Modified = False,
    trust: Trust = False,
) -> None:
    """Say what was unhealthy in a run, finished, running or broken, and what to change.

    Likely causes come first, each with the metric, the step and the value that it was seen by.
    """
    if format == "json":
        terminal.only_results()
    if replay:
        _replay(RunFolder.open(path, modified=modified, trust=trust), format)
        return
    refuse_experiment(path)
    from ppoc.runtime.diagnosis import diagnose as read

    try:
        found = read(path)
    except (ValueError, OSError) as error:
        terminal.fail(terminal.MISUSE, str(error))
    if isinstance(found, dict):
        documents = {name: _document(stage) for name, stage in found.items()}
        whole = {"format": FORMAT, "folder": str(path), "stages": documents}
        text = "\n\n".join(map(_text, found.values()))
    else:
        whole, text = _document(found), _text(found)
    terminal.put(terminal.as_json(whole) if format == "json" else text)


def _replay(folder: RunFolder, format: str) -> None:
    """Print what the newest kept update does in both precisions; 3 if the dump is damaged."""
    from ppoc.runtime.health.postmortem import dumps, replay
    from ppoc.runtime.records.checkpoint import CheckpointError

    kept = dumps(folder.path)
    if not kept:
        terminal.fail(terminal.MISUSE, f"{folder.path} has no update that diverged")
    try:
        replays = list(replay(folder.module, kept[-1]))
    except CheckpointError as error:
        terminal.fail(terminal.RUN_FAILED, str(error))
    if format == "json":
        rows = [{**x._asdict(), "tensors": [t._asdict() for t in x.tensors]} for x in replays]
        document = {"format": FORMAT, "dump": str(kept[-1]), "replays": rows}
        terminal.put(terminal.as_json(document))
        return
    terminal.show(f"{kept[-1]}, made again")
    for one in replays:
        outcome = "diverges again" if one.diverged else "does not diverge"
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in one.metrics.items())
        terminal.show(f"\n{one.dtype}: {outcome}\n  {metrics}")
        if one.first is not None:
            terminal.show(f"  the first that is not finite: {one.first}")
        for tensor in one.tensors:
            bad = f"  {tensor.not_finite} not finite" if tensor.not_finite else ""
            extent = f"[{tensor.low:.4g}, {tensor.high:.4g}]"
            terminal.show(f"  {tensor.name:<28} {tensor.shape!s:<14} {extent}{bad}")


def _text(diagnosis: "Diagnosis") -> str:
    lines = [f"{diagnosis.folder}: {diagnosis.state}"]
    if diagnosis.checkpoint is not None:
        lines.append(f"the last good checkpoint is {diagnosis.checkpoint}")
    lines += [f"note: {note}" for note in diagnosis.notes]
    lines += [str(event["text"]) for event in diagnosis.events if "text" in event]
    lines += [f"an update that failed is kept in {dump}" for dump in diagnosis.dumps]
    for number, finding in enumerate(diagnosis.findings, 1):
        lines += ["", *_cause(number, finding)]
    if not diagnosis.findings:
        lines.append("nothing unhealthy was seen")
    elif any(finding.changes for finding in diagnosis.findings):
        lines += ["", "change one thing at a time, or a better run will not say what helped"]
    return "\n".join(map(printable, lines))


def _cause(number: int, finding: "Finding") -> list[str]:
    since = f", since step {finding.since:,}" if finding.since != finding.step else ""
    lines = [
        f"{number}. {finding.symptom}: {finding.text}",
        f"   seen: {finding.metric} {finding.value:.4g} at step {finding.step:,}{since}",
        f"   why: {finding.cause} ({finding.source})",
    ]
    lines += [f"   try: {change}" for change in finding.changes[:SHOWN]]
    return lines


def _document(diagnosis: "Diagnosis") -> dict[str, Any]:
    checkpoint = diagnosis.checkpoint
    return {
        "format": FORMAT,
        "folder": str(diagnosis.folder),
        "state": diagnosis.state,
        "steps": diagnosis.steps,
        "total_steps": diagnosis.total_steps,
        "checkpoint": str(checkpoint) if checkpoint is not None else None,
        "findings": [finding.document() for finding in diagnosis.findings],
        "events": diagnosis.events,
        "dumps": [str(Path(dump)) for dump in diagnosis.dumps],
        "notes": diagnosis.notes,
    }
