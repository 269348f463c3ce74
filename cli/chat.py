"""`ppoc chat`: try a language model that a run of `kind: rlhf` has trained."""

import contextlib
import json as encoder
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, import_module, is_language_model
from ppoc.cli.options import RunFolder, Trust
from ppoc.formats.text import printable

if TYPE_CHECKING:
    from ppoc.runtime.rlhf.chat import Example

SHOWN = 200  # characters of a prompt


def chat(
    folder: RunFolder,
    stage: Annotated[
        Literal["sft", "ppo", "start"] | None,
        typer.Option(
            help="Whose policy; start: the one that the run started from.",
            show_default="the newest",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature", "-t", min=0, help="0: the likeliest.", show_default="as in training"
        ),
    ] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, help="The longest answer.", show_default="as in training")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of what is drawn.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    trust: Trust = False,
    modified: Modified = False,
) -> None:
    r"""Answer prompts, one a line, each by itself; an empty line or Ctrl-D ends.

    A prompt should look like those of the run's data, of which one is shown at the start: nothing
    is added to it, no template and no roles. A line that is a JSON string, such as "Two\nlines:",
    is read as one, so that a prompt can have line breaks.

    Where the input is no terminal, each line of it is answered on a line of the output.
    """
    from ppoc.runtime.errors import RunError
    from ppoc.runtime.records.checkpoint import CheckpointError
    from ppoc.runtime.rlhf.chat import answerer, training_prompt
    from ppoc.runtime.rlhf.launch import require

    if json:
        terminal.only_results()
    module = import_module(folder, modified=modified, trust=trust)
    if not is_language_model(module):
        terminal.fail(terminal.MISUSE, f"{folder} is the run of an agent: `ppoc eval` it")
    try:
        require(module)
        answer = answerer(
            module,
            folder,
            stage=stage,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seed=seed,
        )
    except (RunError, CheckpointError) as error:
        terminal.fail(terminal.RUN_FAILED, str(error))
    if not json:
        terminal.say(_introduction(training_prompt(module, folder), module.MAX_PROMPT_TOKENS))
    for line in _lines():
        prompt = _prompt(line)
        try:
            text = answer(prompt)
        except RunError as error:
            terminal.fail(terminal.RUN_FAILED, str(error))
        row = {"prompt": prompt, "answer": text}
        terminal.put(terminal.as_json(row, indent=None) if json else text)


def _introduction(example: "Example | None", most: int) -> str:
    """Says what prompts the policy knows; texts of the data do not steer the terminal."""
    said = f"a prompt is given to the model as it is, its last {most:,} tokens"
    if example is None:
        return f"{said}; how those of training looked is not known, for their file is not here"
    prompt = example.prompt
    if len(prompt) > SHOWN:
        prompt = f"{prompt[: SHOWN // 2]} … {prompt[-SHOWN // 2 :]}"
    shown = printable(encoder.dumps(prompt, ensure_ascii=False))
    return (
        f"{said}; in training they looked like this one, the first of {example.file}:\n"
        f"  {shown}\n"
        "a line in such quotes is read as JSON, so that it can have line breaks"
    )


def _prompt(line: str) -> str:
    """The prompt of a line: a JSON string, or as it stands."""
    if line.startswith('"'):
        with contextlib.suppress(ValueError, RecursionError):
            found = encoder.loads(line)
            if isinstance(found, str):
                return found.encode("utf-8", errors="replace").decode()
    return line


def _lines() -> Iterator[str]:
    """Lines of the input; in a terminal until an empty one."""
    if not sys.stdin.isatty():
        for line in sys.stdin.buffer:
            yield line.decode("utf-8", errors="replace").rstrip("\r\n")
        return
    while True:
        try:
            line = input("prompt> ")
        except EOFError:
            return
        if not line:
            return
        yield line
