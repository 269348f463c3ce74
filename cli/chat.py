"""`ppoc chat`: try a language model that a run of `kind: rlhf` has trained."""

import sys
from collections.abc import Iterator
from typing import Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.folders import Modified, import_module, is_language_model
from ppoc.cli.options import RunFolder, Trust


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
    """Answer prompts, one a line, each by itself; an empty line or Ctrl-D ends.

    Where the input is no terminal, each line of it is answered on a line of the output.
    """
    from ppoc.runtime.checkpoint import CheckpointError
    from ppoc.runtime.failures import RunError
    from ppoc.runtime.rlhf.chat import answerer
    from ppoc.runtime.rlhf.launch import require

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
    for prompt in _prompts():
        try:
            text = answer(prompt)
        except RunError as error:
            terminal.fail(terminal.RUN_FAILED, str(error))
        if json:
            terminal.document({"prompt": prompt, "answer": text}, indent=None)
        else:
            terminal.write(text)


def _prompts() -> Iterator[str]:
    """Lines of the input; in a terminal until an empty one."""
    if not sys.stdin.isatty():
        for line in sys.stdin.buffer:
            yield line.decode("utf-8", errors="replace").rstrip("\r\n")
        return
    while True:
        try:
            line = input("> ")
        except EOFError:
            return
        if not line:
            return
        yield line
