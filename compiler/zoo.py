"""The zoo: specs that come with ppoc, by their names."""

from importlib.resources import files
from pathlib import Path


def paths() -> dict[str, Path]:
    """Name → file of every spec of the zoo."""
    root = Path(str(files("ppoc.specs")))
    found = sorted(root.glob("*/*.yaml"))
    return {f"{x.parent.name}/{x.stem}": x for x in found if x.parent.name != "presets"}


def key_of(name: str) -> str:
    """The zoo's name of a spec, which people may call by its file."""
    return name.removesuffix(".yaml").removeprefix("specs/")
