"""The interface that a module declares, for all who ask what it is and has."""

from types import ModuleType

from ppoc.runtime.errors import RunError
from ppoc.runtime.interface import VERSION, AgentInterface, Interface, LanguageModelInterface


def interface_of(module: ModuleType) -> Interface:
    """The interface of a module of any kind.

    Raises:
        RunError: it declares none, or one of another version.
    """
    found = vars(module).get("INTERFACE")
    if isinstance(found, Interface) and found.version == VERSION:
        return found
    raise RunError(
        f"{module.__file__} was written by another version of ppoc, and has no interface for this "
        "one: compile the spec.lock.yaml beside it again with `ppoc compile`"
    )


def agent_of(module: ModuleType) -> AgentInterface:
    """The interface of an agent's module; raises as `interface_of` does, and for another kind."""
    found = interface_of(module)
    if isinstance(found, AgentInterface):
        return found
    raise RunError(f"{module.__file__} is of kind {found.kind}, and this is for agents")


def language_model_of(module: ModuleType) -> LanguageModelInterface:
    """The same of a language model's module."""
    found = interface_of(module)
    if isinstance(found, LanguageModelInterface):
        return found
    raise RunError(f"{module.__file__} is of kind {found.kind}, and this is for language models")
