"""Code that a spec names: nothing of it is imported unless it is trusted.

A spec is data. It may name code as `package.module:name` for its environment, for wrappers and for
the body of a network; that is imported only with `--trust`, or where the variable PPOC_TRUST lists
the package. With `--trust` it may lie beside the spec: its folder comes last of all places that are
searched, and what is found there is noted in the lock and in the module.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ppoc.compiler.agent.env.blame import place, told
from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.spec import nearest
from ppoc.compiler.front.suggest import did_you_mean
from ppoc.formats.processes import import_safely

VARIABLE = "PPOC_TRUST"
# With the package shimmy these import whatever module their options name, by way of gym.
IMPORTING = ("GymV21Environment-v0", "GymV26Environment-v0")
LOOKED_FOR = (
    "it is looked for where Python looks for modules, and with `--trust` beside the spec; set "
    "PYTHONPATH to its folder"
)
Names = tuple[str, ...]


class CodeError(Exception):
    """Code that cannot be had: the text says why, `help` what to do.

    `missing` is the module that there is none of, where that is the reason.
    """

    def __init__(self, text: str, help: str, missing: str = "") -> None:
        super().__init__(text)
        self.help, self.missing = help, missing


def code_of(spec: AgentSpec) -> Iterator[tuple[Names, str]]:
    """The code that a spec names, and where it names it."""
    if ":" in spec.env.id:
        yield ("env", "id"), spec.env.id
    elif spec.env.id in IMPORTING:
        yield ("env", "id"), f"gym:{spec.env.id}"
    for wrapper in spec.env.wrappers:
        name = wrapper if isinstance(wrapper, str) else next(iter(wrapper))
        if ":" in name:
            yield ("env", "wrappers"), name
    networks = {"actor": spec.networks.actor, "critic": spec.networks.critic}
    for which, network in networks.items():
        if network is not None and network.code is not None:
            yield ("networks", which, "code"), network.code


def require_trust(resolved: ResolvedAgent, *, trust: bool) -> None:
    """Refuse a spec that names code, unless it is trusted.

    Raises:
        SpecError: E119, for each name.
    """
    listed = {name.strip() for name in os.environ.get(VARIABLE, "").split(",")} - {""}
    found = [
        _refusal(resolved, path, name)
        for path, name in code_of(resolved.spec)
        if not trust and name.partition(":")[0].partition(".")[0] not in listed
    ]
    if found:
        raise SpecError(found)


def _refusal(resolved: ResolvedAgent, path: Names, name: str) -> Diagnostic:
    module = name.partition(":")[0]
    package = module.partition(".")[0]
    return resolved.diagnostic(
        "E119",
        path,
        f"`{name}` is code, and the spec is not trusted",
        why=f"the module `{module}` would be imported, which can do anything that you can",
        help=f"if you trust it, give `--trust`, or set {VARIABLE}={package}",
    )


def search_beside(resolved: ResolvedAgent) -> None:
    """Look for trusted code beside the spec too, after all other places.

    Only to be called where the spec as a whole is trusted: PPOC_TRUST names packages, and a folder
    may hold another of that name.
    """
    sys.path += [folder for folder in _beside(resolved) if folder not in sys.path]


def found_beside(resolved: ResolvedAgent, path: Sequence[str]) -> tuple[str, ...]:
    """Where trusted code of a spec is found now, of the folders that the import path `path` lacks.

    A lock says so itself, since it compiles to one module wherever its code is found.
    """
    if resolved.is_lock:
        return tuple(_beside(resolved))
    found = []
    for _, name in code_of(resolved.spec):
        spec = importlib.util.find_spec(name.partition(":")[0].partition(".")[0])
        places = list(spec.submodule_search_locations or [spec.origin or ""]) if spec else []
        found += [str(Path(place).parent) for place in places]
    return tuple(x for x in dict.fromkeys(found) if x in _beside(resolved) and x not in path)


def _beside(resolved: ResolvedAgent) -> list[str]:
    """The folders of the files that a spec with code is read from; those that a lock has noted."""
    if next(code_of(resolved.spec), None) is None:
        return []
    if resolved.is_lock:
        return list(resolved.spec.lock.code_folders if resolved.spec.lock else ())
    spans = [nearest(resolved.root, path) for path, _ in code_of(resolved.spec)]
    files = [Path(span.source) for span in spans if span is not None and span.is_file]
    folders = [resolved.folder, *(file.parent for file in files)]
    return list(dict.fromkeys(str(folder.resolve()) for folder in folders))


def import_code(name: str) -> ModuleType:
    """Import a module that is trusted.

    Raises:
        CodeError: there is none of this name, or it fails; the text says where.
    """
    try:
        return import_safely(name)
    except BaseException as error:  # a module may fail in any way
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            missing = str(error.name)
            raise CodeError(f"there is no module `{missing}`", LOOKED_FOR, missing) from None
        where = place(error)
        help = f"see {where}" if where else "import it in Python to see why"
        raise CodeError(f"`{name}` fails while it is imported: {told(error)}", help) from None


def imported(resolved: ResolvedAgent, path: Names, name: str) -> Any:
    """The object that trusted code is, by its `package.module:name`.

    Raises:
        SpecError: E119, it cannot be imported.
    """
    module, _, inner = name.partition(":")
    try:
        return named_in(import_code(module), inner)
    except CodeError as error:
        message = f"`{name}` cannot be imported: {error}"
        raise resolved.spec_error("E119", path, message, error.help) from None


def named_in(module: ModuleType, name: str) -> Any:
    """The member of a module that a dotted name stands for.

    Raises:
        CodeError: it has nothing of this name.
    """
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            close = did_you_mean(part, [x for x in dir(found) if not x.startswith("_")])
            text = f"`{module.__name__}` has no `{name}`"
            raise CodeError(text, close or "give a name that the module has") from None
    return found
