"""The `ppoc` command: its verbs, and how each kind of failure ends."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.cli.specs import (
    check,
    compile,
    describe,
    diff,
    draft,
    explain,
    imports,
    init,
    schema,
    zoo,
)
from ppoc.cli.training import chat, compare, diagnose, eject, eval, export, reproduce, run, variance
from ppoc.formats import streams

INTERRUPTED = 130  # what Typer makes of Ctrl-C

app = typer.Typer(
    name="ppoc",
    help="Compile agent specs into readable PyTorch training modules, and run them.",
    epilog="Exit codes: 0 ok, 1 the spec is wrong, 2 misuse, 3 the run failed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(init.init)
app.command()(check.check)
app.command()(compile.compile)
app.command()(run.run)
app.command()(eval.eval)
app.command()(chat.chat)
app.command()(diagnose.diagnose)
app.command()(draft.draft)
app.command()(describe.describe)
app.command()(eject.eject)
app.command()(export.export)
app.command()(explain.explain)
app.command()(compare.compare)
app.command()(diff.diff)
app.command()(variance.variance)
app.command()(reproduce.reproduce)
app.command()(schema.schema)
app.add_typer(imports.app, name="import")
app.add_typer(zoo.app, name="zoo")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        terminal.show(f"ppoc {version('ppoc')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Compile agent specs into readable PyTorch training modules, and run them."""


def main() -> None:
    """Run the command line; no user's mistake ends in a traceback."""
    streams.open_streams()
    from ppoc.compiler.front.diagnostics import SpecError

    try:
        _call()
    except SpecError as error:
        raised = error.__cause__ or error.__context__  # by code of others, mostly
        if "--debug" in sys.argv and raised is not None:
            terminal.say("".join(traceback.format_exception(raised)))
        terminal.report(error.diagnostics)
        terminal.say(f"\n`ppoc explain {error.diagnostics[0].code}` says more")
        sys.exit(terminal.SPEC_IS_WRONG)
    except BrokenPipeError:  # who read the output, such as `head`, has enough
        terminal.discard(streams.results())
        sys.exit(terminal.UNREAD)
    except OSError as error:  # such as a full disk, where no verb knows better
        terminal.discard(streams.results())
        name = f": {error.filename}" if error.filename else ""
        terminal.say(f"error: {error.strerror or error}{name}")
        sys.exit(terminal.RUN_FAILED)
    except MemoryError:
        terminal.say("error: out of memory")
        sys.exit(terminal.RUN_FAILED)
    except SystemExit as exit:
        if where := _of_others(exit):
            terminal.say(f"error: ended by sys.exit({exit.code!r}) in code of others, at {where}")
        elif exit.code == INTERRUPTED:
            terminal.say("stopped")
        else:
            raise
        sys.exit(terminal.RUN_FAILED)
    except GeneratorExit as error:  # nothing of ours raises it
        where = _of_others(error) or "an unknown place"
        terminal.say(f"error: ended by GeneratorExit in code of others, at {where}")
        sys.exit(terminal.RUN_FAILED)
    finally:
        streams.release()


def _of_others(error: BaseException) -> str:
    """Where code of others ended the command; nothing where Typer did, as it does each."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or Path(frames[-1].filename).is_relative_to(Path(typer.__file__).parent):
        return ""
    return f"{frames[-1].filename}:{frames[-1].lineno}"


def _call() -> None:
    try:
        app(prog_name="ppoc")
    except SystemExit as exit:
        if isinstance(exit.__context__, BrokenPipeError):  # of which Typer and Rich make 1
            raise exit.__context__ from None
        raise
    finally:
        print(
            end="", file=streams.results(), flush=True
        )  # what Python cannot write when it ends, it complains of itself
