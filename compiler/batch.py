"""Checking specs: one with its environment, many in parallel, all of a folder."""

import contextlib
import multiprocessing
import os
import re
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError, ordered
from ppoc.compiler.front.source import MAX_BYTES
from ppoc.compiler.resolve import examine
from ppoc.formats.processes import can_be_safe, restore, safe_path
from ppoc.formats.reading import FormatError, open_regular

SUFFIXES = (".yaml", ".yml")
# A key that every spec has at its top level, so that other YAML files of a folder are left alone.
SPEC = re.compile(rb"""^(\xef\xbb\xbf)?(\{\s*)?["']?(ppoc|extends)["']?\s*:""", re.MULTILINE)
PER_PROCESS = 8  # specs that are worth another process, which takes as long to start


@dataclass(frozen=True)
class Report:
    """The diagnostics of one spec."""

    path: Path
    found: list[Diagnostic]

    @property
    def failed(self) -> bool:
        """Whether the spec is wrong."""
        return any(diagnostic.severity == "error" for diagnostic in self.found)


def check(
    path: Path, overrides: Sequence[str] = (), probe: bool = True, trust: bool = False
) -> Report:
    """Every problem of a spec; with `probe`, its environment is made once, or its files are read.

    With `trust`, code that the spec names is imported.
    """
    examined = examine(path, overrides)
    found, resolved = examined.found, examined.resolved
    if probe and resolved is not None:
        found = ordered([*found, *resolved.kind.probed(examined, trust=trust)])
    return Report(path, found)


def check_all(
    paths: Sequence[Path],
    overrides: Sequence[str] = (),
    probe: bool = True,
    trust: bool = False,
) -> list[Report]:
    """The reports of several specs, in their order; many are shared among the machine's cores.

    The processes for that import nothing from the current folder, which may be of the specs.
    Where one of those processes is killed, this one checks what is left.
    """
    one = partial(check, overrides=tuple(overrides), probe=probe, trust=trust)
    processes = min(os.cpu_count() or 1, len(paths) // PER_PROCESS)
    if processes < 2 or not can_be_safe():
        return [one(path) for path in paths]
    context = multiprocessing.get_context("spawn")  # a fork would copy a caller's threads half
    with (
        safe_path() as before,
        ProcessPoolExecutor(processes, context, initializer=restore, initargs=(before,)) as pool,
    ):
        begun: list[Future[Report]] = []
        with contextlib.suppress(BrokenProcessPool):
            for path in paths:
                begun.append(pool.submit(one, path))
        left = [None] * (len(paths) - len(begun))
        return [
            _ended(future) or one(path) for future, path in zip([*begun, *left], paths, strict=True)
        ]


def _ended(future: "Future[Report] | None") -> Report | None:
    """A report; None where no process is left to give it."""
    with contextlib.suppress(BrokenProcessPool):
        return future.result() if future is not None else None
    return None


def specs_in(folder: Path) -> tuple[list[Path], int]:
    """The specs of a folder and those below it, and how many other YAML files there are.

    Hidden ones are left out.

    Raises:
        SpecError: E001 where a folder or file cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise SpecError([Diagnostic("E001", f"cannot read {error.filename}: {error.strerror}")])

    files = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible = [Path(place) / name for name in sorted(names) if not name.startswith(".")]
        files += [path for path in visible if path.suffix in SUFFIXES]
    specs = []
    for path in files:
        try:
            with open_regular(path, follow=True) as file:
                if SPEC.search(file.read(MAX_BYTES)):
                    specs.append(path)
        except FormatError:
            continue  # a pipe or a folder
        except OSError as error:
            refuse(error)
    return specs, len(files) - len(specs)
