"""`ppoc draft`: English in, a spec out."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ppoc.cli import terminal
from ppoc.compiler.front.diagnostics import to_json
from ppoc.formats.files import write_whole

if TYPE_CHECKING:
    from ppoc.draft.edit import Edited
    from ppoc.draft.spec.drafts import Draft
    from ppoc.draft.text.claims import Note


def draft(
    request: Annotated[
        list[str] | None,
        typer.Argument(help="What to train, in English; `-` or nothing reads it from a pipe."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write.", show_default="standard output"),
    ] = None,
    edit: Annotated[
        Path | None,
        typer.Option("--edit", help="Change this spec, in place or into --out, and show the diff."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the evidence for every value.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print spec and provenance.")] = False,
    engine: Annotated[
        str | None,
        typer.Option(
            help="offline, openai (any compatible server), or symai:MODEL.",
            show_default="$PPOC_DRAFT_ENGINE, else offline",
        ),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(help="Server of the engine.", show_default="$PPOC_DRAFT_BASE_URL"),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model of the engine.", show_default="$PPOC_DRAFT_MODEL")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite.")] = False,
) -> None:
    """Draft a spec from English, each value with the words it comes from.

    What the request says and a spec cannot hold is listed. The result passes `ppoc check`.
    """
    from ppoc.draft.models.settings import EngineError, settings
    from ppoc.draft.spec.drafts import NothingToDraftError
    from ppoc.draft.text.claims import RequestError

    if as_json:
        terminal.only_results()
    text = _text(request)
    target = out or edit
    if target is not None and target.suffix not in (".yaml", ".yml"):
        terminal.fail(terminal.MISUSE, f"{target} should end in .yaml")
    if out is not None and out.exists() and not force and out != edit:
        terminal.fail(terminal.MISUSE, f"{out} exists; --force overwrites it")
    try:
        chosen = settings(engine, base_url, model)
        done = _edited(text, edit, chosen) if edit else _drafted(text, out, chosen, as_json)
    except (EngineError, RequestError) as error:
        terminal.fail(terminal.MISUSE, str(error))
    except NothingToDraftError as error:
        if as_json:
            found = {"spec": None, "values": [], "notes": _notes(error.notes)}
            terminal.put(terminal.as_json(found))
        _tell(error.notes)
        example = 'such as: ppoc draft "PPO on CartPole for 100k steps, clip 0.2"'
        terminal.fail(terminal.SPEC_IS_WRONG, f"{error}; {example}")
    _show(done, target, edit, explain, as_json)


def _text(request: list[str] | None) -> str:
    """The request: the arguments, or what a pipe holds."""
    words = " ".join(request or [])
    if words in ("", "-"):
        if sys.stdin is None or sys.stdin.isatty():
            terminal.fail(terminal.MISUSE, 'no request: ppoc draft "Train PPO on CartPole"')
        words = sys.stdin.buffer.read(200_000).decode("utf-8", "replace")
    if not words.strip():
        terminal.fail(terminal.MISUSE, "the request is empty")
    return words


def _drafted(text: str, out: Path | None, settings: Any, as_json: bool) -> "Draft":
    from ppoc.draft.compose import compose
    from ppoc.draft.engines import understand
    from ppoc.draft.kinds import KINDS

    reading = understand(text, settings)
    lacking = KINDS[reading.kind].lacks_environment(reading)
    if _interactive(out) and not as_json and reading.claims and lacking:
        named = typer.prompt("Which environment?", default="CartPole-v1", err=True)
        reading = understand(f"{text}\non {named}", settings)
    draft = compose(reading)
    folder = out.parent if out is not None else Path()
    missing = KINDS[draft.resolved.kind.name].missing_files(draft.resolved, folder)
    return replace(draft, notes=[*draft.notes, *missing])


def _edited(text: str, path: Path, settings: Any) -> "Edited":
    from ppoc.compiler.front.source import read
    from ppoc.compiler.resolve import resolve
    from ppoc.draft.edit import edit
    from ppoc.draft.engines import understand
    from ppoc.draft.spec.paths import values_of

    known = values_of(resolve(path))
    return edit(read(path), path, understand(text, settings, known))


def _interactive(out: Path | None) -> bool:
    """Whether there is somebody to ask, and a file that a run could take."""
    return out is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _show(
    done: "Draft | Edited", target: Path | None, edit: Path | None, explain: bool, as_json: bool
) -> None:
    if target is not None:
        _write(target, done.text)
    if as_json:
        terminal.put(terminal.as_json(_as_json(done)))
        return
    if edit is not None:
        terminal.put(done.diff(str(edit)), end="")  # type: ignore[union-attr]
    elif target is None:
        terminal.put(done.text, end="")
    if explain:
        _explain(done)
    _tell(done.notes, target)
    terminal.report(done.warnings)
    if target is None:
        return
    (terminal.say if edit else terminal.show)(str(target))
    if edit is None and _interactive(target) and typer.confirm("Run it now?", err=True):
        from ppoc.cli.training.run import run

        run(target)


def _write(path: Path, text: str) -> None:
    """Write a whole file or none."""
    try:
        write_whole(path, text)
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {path}: {error.strerror}")


def _explain(done: "Draft | Edited") -> None:
    from ppoc.draft.spec.write import scalar

    width = max((len(value.path) for value in done.values), default=0)
    for value in done.values:
        line = f"{value.path:<{width}}  {scalar(value.value):<16}  {value.origin:<8}"
        terminal.say(f"{line}  {value.comment()}".rstrip())


def _tell(notes: "list[Note]", target: Path | None = None) -> None:
    """Print the notes of a draft, which its spec does not hold, on standard error."""
    from ppoc.draft.spec.write import SECTIONS, told

    for kind, title in SECTIONS.items():
        own = [told(note) for note in notes if note.kind == kind]
        if own:
            terminal.say(title)
        for line in own:
            terminal.say(f"  - {line.replace(' SPEC', f' {target}') if target else line}")


def _notes(notes: "list[Note]") -> list[dict[str, str]]:
    return [{"kind": note.kind, "words": note.words, "text": note.text} for note in notes]


def _as_json(done: "Draft | Edited") -> dict[str, Any]:
    return {
        "spec": done.text,
        "values": [
            {"path": v.path, "value": v.value, "origin": v.origin, "words": v.words, "why": v.why}
            for v in done.values
        ],
        "notes": _notes(done.notes),
        "diagnostics": to_json(done.warnings),
    }
