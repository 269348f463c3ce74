"""A compiled folder that runs without ppoc: the runtime's own files lie beside its module."""

from importlib.util import find_spec
from pathlib import Path

from ppoc.formats.files import copy_whole

PACKAGES = ("runtime", "formats")  # all that a module imports of ppoc, and what that stands on


def eject(folder: Path) -> None:
    """Copy the runtime's files into `ppoc/` of a folder, where `python module.py` finds them first.

    Raises:
        OSError: the folder cannot be written.
    """
    for package in PACKAGES:
        spec = find_spec(f"ppoc.{package}")
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent
        for path in sorted(source.rglob("*.py")):
            target = folder / "ppoc" / package / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_whole(path, target)
