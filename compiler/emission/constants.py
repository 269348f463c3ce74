"""Constants of generated modules, and what its interface says of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ppoc.compiler.emission.literals import Code, literal


class Constant(NamedTuple):
    """A named value of the generated module, with a comment.

    Attributes:
        key: of the spec, whose value it is; several where one constant stands for all of them.
        field: of the interface that holds it, such as `seed` or `environment.id`.
    """

    name: str
    value: Any
    note: str = ""
    key: str | tuple[str, ...] = ()
    field: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the spec whose value it is."""
        return (self.key,) if isinstance(self.key, str) else self.key


class Setting(NamedTuple):
    """A value of the spec that a feature stands for, without a constant."""

    key: str
    value: Any


Groups = Iterable[Iterable[Constant]]


def settings(groups: Groups, more: Sequence[Setting]) -> dict[str, Any]:
    """Key of the spec → its value, of constants and of features."""
    named = {key: constant.value for group in groups for constant in group for key in constant.keys}
    return named | dict(more)


def interface_words(groups: Groups, more: Sequence[Setting]) -> dict[str, Any]:
    """Text of the interface: its fields that hold constants, by part, and entries of `settings`."""
    fields: dict[str, list[Code]] = defaultdict(list)
    entries = []
    for constant in (constant for group in groups for constant in group):
        if constant.field:
            part, _, name = constant.field.rpartition(".")
            fields[part].append(Code(f"{name}={constant.name},"))
        entries += [(key, constant.name) for key in constant.keys]
    entries += [(setting.key, literal(setting.value)) for setting in more]
    lines = [Code(f"{literal(key)}: {value},") for key, value in entries]
    return {"fields": fields, "setting_lines": lines}
