"""Code that a spec names: nothing of it is imported unless it is trusted.

A spec is data. It may name code as `package.module:name` for its environment, for wrappers and for
the body of a network; that is imported only with `--trust`, or where the variable PPOC_TRUST lists
the package.
"""

import os
from collections.abc import Iterator
from typing import Any

from ppoc.compiler.diagnostics import Diagnostic, SpecError
from ppoc.compiler.language import AgentSpec
from ppoc.compiler.resolve import Resolved
from ppoc.formats.processes import import_safely

VARIABLE = "PPOC_TRUST"
# With the package shimmy these import whatever module their options name, by way of gym.
IMPORTING = ("GymV21Environment-v0", "GymV26Environment-v0")
Path = tuple[str, ...]


def code_of(spec: AgentSpec) -> Iterator[tuple[Path, str]]:
    """What a spec names of code, and where."""
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


def require_trust(resolved: Resolved, *, trust: bool) -> None:
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


def _refusal(resolved: Resolved, path: Path, name: str) -> Diagnostic:
    module = name.partition(":")[0]
    package = module.partition(".")[0]
    return resolved.error(
        "E119",
        path,
        f"`{name}` is code, and the spec is not trusted",
        why=f"the module `{module}` would be imported, which can do anything that you can",
        help=f"if you trust it, give `--trust`, or set {VARIABLE}={package}",
    )


def imported(resolved: Resolved, path: Path, name: str) -> Any:
    """The object that trusted code is, by its `package.module:name`.

    Raises:
        SpecError: E119, it cannot be imported.
    """
    module, _, inner = name.partition(":")
    try:
        found = import_safely(module)
        for part in inner.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module may fail in any way
        message = f"`{name}` cannot be imported: {type(error).__name__}: {error}"
        help = "it is looked for where Python looks for modules; set PYTHONPATH to its folder"
        raise resolved.refusal("E119", path, message.replace("\n", " "), help) from None
    return found
