"""`ppoc zoo`: the specs that come with ppoc."""

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal
from ppoc.compiler.zoo import key_of, paths
from ppoc.formats.files import copy_whole, open_to_write

app = typer.Typer(help="Specs that come with ppoc: list, show, copy.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Such as `ppo/cartpole`.", show_default=False)]


def _specs() -> dict[str, str]:
    """Name → text of every spec of the zoo."""
    return {name: path.read_text(encoding="utf-8") for name, path in paths().items()}


def _find(name: str) -> str:
    specs = _specs()
    key = key_of(name)
    if key not in specs:
        import difflib

        close = difflib.get_close_matches(key, specs, n=1, cutoff=0.8)
        hint = f"; did you mean {close[0]}?" if close else ""
        terminal.fail(terminal.MISUSE, f"the zoo has no {name}{hint} (`ppoc zoo list`)")
    return specs[key]


@app.command("list")
def list_specs() -> None:
    """List the specs, a line each."""
    for name, text in _specs().items():
        terminal.show(f"{name:<20} {text.splitlines()[0].removeprefix('# ')}")


@app.command()
def show(name: Name) -> None:
    """Print a spec."""
    terminal.put(_find(name), end="")


@app.command()
def copy(
    name: Name,
    to: Annotated[
        Path | None, typer.Argument(help="File to write.", show_default="its own name here")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite.")] = False,
) -> None:
    """Copy a spec, to make it yours; with the folder of its data, if it has one."""
    text = _find(name)
    key = Path(name.removesuffix(".yaml").removeprefix("specs/"))
    target = to or Path(f"{key.name}.yaml")
    path = target / f"{key.name}.yaml" if target.is_dir() else target
    write_new(path, text, force)
    data = Path(str(files("ppoc.specs"))) / key
    if data.is_dir():
        _copy_data(data, path.parent / key.name, force)


def _copy_data(data: Path, to: Path, force: bool) -> None:
    """Copy the files that a spec of the zoo reads, to where the copy of the spec looks for them."""
    try:
        to.mkdir(exist_ok=force)
        for file in sorted(data.glob("*.*")):
            copy_whole(file, to / file.name)
    except FileExistsError:
        terminal.fail(terminal.MISUSE, f"{to} exists; --force overwrites what the spec reads in it")
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {to}: {error.strerror}")
    terminal.show(str(to))


def write_new(path: Path, text: str, force: bool) -> None:
    """Write a file that must not exist yet, unless forced."""
    try:
        flags = os.O_TRUNC if force else os.O_EXCL
        with open(open_to_write(path, flags), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        terminal.fail(terminal.MISUSE, f"{path} exists; --force overwrites it")
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {path}: {error.strerror}")
    terminal.show(str(path))
