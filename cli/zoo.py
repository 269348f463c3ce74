"""`ppoc zoo`: the specs that come with ppoc."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from ppoc.cli import terminal

app = typer.Typer(help="Specs that come with ppoc: list, show, copy.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Such as `ppo/cartpole`.", show_default=False)]


def _specs() -> dict[str, str]:
    """Name → text of every spec of the zoo."""
    root = Path(str(files("ppoc.specs")))
    found = sorted(root.glob("*/*.yaml"))
    return {
        f"{path.parent.name}/{path.stem}": path.read_text(encoding="utf-8")
        for path in found
        if path.parent.name != "presets"
    }


def _find(name: str) -> str:
    specs = _specs()
    key = name.removesuffix(".yaml").removeprefix("specs/")
    if key not in specs:
        import difflib

        close = difflib.get_close_matches(key, specs, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]}?" if close else ""
        terminal.fail(terminal.MISUSE, f"the zoo has no {name}{hint} (`ppoc zoo list`)")
    return specs[key]


@app.command("list")
def list_specs() -> None:
    """List the specs, a line each."""
    for name, text in _specs().items():
        print(f"{name:<20} {text.splitlines()[0].removeprefix('# ')}")


@app.command()
def show(name: Name) -> None:
    """Print a spec."""
    print(_find(name), end="")


@app.command()
def copy(
    name: Name,
    to: Annotated[
        Path | None, typer.Argument(help="File to write.", show_default="its own name here")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite.")] = False,
) -> None:
    """Copy a spec, to make it yours."""
    text = _find(name)
    target = to or Path(name.removesuffix(".yaml")).with_suffix(".yaml").name
    target = Path(target)
    write_new(target / f"{Path(name).stem}.yaml" if target.is_dir() else target, text, force)


def write_new(path: Path, text: str, force: bool) -> None:
    """Write a file that must not exist yet, unless forced."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        terminal.fail(terminal.MISUSE, f"{path} exists; --force overwrites it")
    except OSError as error:
        terminal.fail(terminal.MISUSE, f"cannot write {path}: {error.strerror}")
    print(path)
