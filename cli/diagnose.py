"""`ppoc diagnose`: what went wrong in this run, and what should be tried?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.options import RunFolder

if TYPE_CHECKING:
    from ppoc.runtime.diagnosis import Diagnosis
    from ppoc.runtime.findings import Finding

FORMAT = 1
SHOWN = 3  # changes of a cause


def diagnose(
    folder: RunFolder,
    format: Annotated[
        Literal["text", "json"], typer.Option(help="How to print what was found.")
    ] = "text",
) -> None:
    """Say what was unhealthy in a run, finished, running or broken, and what to change.

    Likely causes come first, each with the metric, the step and the value that it was seen by.
    """
    from ppoc.runtime.diagnosis import diagnose as read

    try:
        diagnosis = read(folder)
    except ValueError as error:
        terminal.fail(terminal.MISUSE, str(error))
    if format == "json":
        print(json.dumps(_document(diagnosis), indent=2, ensure_ascii=False))
    else:
        print(_text(diagnosis))


def _text(diagnosis: "Diagnosis") -> str:
    lines = [f"{diagnosis.folder}: {diagnosis.state}"]
    if diagnosis.checkpoint is not None:
        lines.append(f"the last checkpoint is {diagnosis.checkpoint}")
    lines += [f"note: {note}" for note in diagnosis.notes]
    lines += [str(event["text"]) for event in diagnosis.events if "text" in event]
    lines += [f"an update that failed is kept in {dump}" for dump in diagnosis.dumps]
    for number, finding in enumerate(diagnosis.findings, 1):
        lines += ["", *_cause(number, finding)]
    if not diagnosis.findings:
        lines.append("nothing unhealthy was seen")
    elif any(finding.changes for finding in diagnosis.findings):
        lines += ["", "change one thing at a time, or a better run will not say what helped"]
    return "\n".join(lines)


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
