"""The kinds of module. No other file of the runtime names them all."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from ppoc.formats.reading import FormatError
from ppoc.runtime.declared import interface_of

if TYPE_CHECKING:
    from ppoc.runtime.run.kind import RunKind

MODULES = {"control": "ppoc.runtime.run.agent", "rlhf": "ppoc.runtime.rlhf.kind"}


def kind_of(module: ModuleType) -> "RunKind":
    """The kind of a module; raises RunError where it does not say.

    A kind is imported when it is asked for, so that an agent needs no language models.
    """
    return kind_named(interface_of(module).kind)


def kind_named(name: object) -> "RunKind":
    """The kind of a name; raises FormatError where there is none of that name."""
    if not isinstance(name, str) or name not in MODULES:
        raise FormatError(f"its kind is none of {', '.join(MODULES)}")
    kind: RunKind = import_module(MODULES[name]).KIND
    return kind
