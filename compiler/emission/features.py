"""Features: parts of a module that own their code.

A skeleton is a template with slots, `{% slot name %}`, and no branch on any feature. A feature is
an object and some blocks of a template: each fills the slot of its name, after those of the
features before it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from ppoc.compiler.emission.literals import Code


class Slot(Extension):
    """The tag `{% slot name %}`: the blocks of that name of all features, one after the other."""

    tags = {"slot"}  # noqa: RUF012, as the base class has it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        name = nodes.Const(parser.stream.expect("name").value)
        call = nodes.Call(nodes.Name("slot", "load"), [name], [], None, None)
        return nodes.Output([call]).set_lineno(line)


class Feature:
    """A part of a module, of a plan.

    Attributes:
        template: `file/name` of its blocks: those called `name__slot` in a template of `features/`.
            None: it has words only.
    """

    template: ClassVar[str | None] = None

    def __init__(self, plan: Any) -> None:
        self.plan = plan

    @classmethod
    def applies(cls, plan: Any) -> bool:
        """Whether a plan has it."""
        return True

    def words(self) -> Mapping[str, Any]:
        """Text and values that it alone says, for its own template and those of others."""
        return {}

    def lists(self) -> Mapping[str, Sequence[Any]]:
        """Items of lists that several features add to, such as arguments of a function."""
        return {}


def feature_names(features: Iterable[Feature]) -> list[str]:
    """Names of features, in their order."""
    return [type(feature).__name__ for feature in features]


def listed(features: Iterable[Feature], name: str) -> list[Any]:
    """The items that features add to a list."""
    return [item for feature in features for item in feature.lists().get(name, ())]


def feature_context(
    environment: jinja2.Environment, features: Iterable[Feature], lists: Iterable[str]
) -> dict[str, Any]:
    """Variables of a skeleton: the words and lists of features, and `slot`.

    Args:
        lists: names of the lists, so that one that nobody adds to is empty.

    Raises:
        RuntimeError: two features have the same word, or one adds to no list: a compiler bug.
    """
    features = list(features)
    context: dict[str, Any] = {name: [] for name in lists}
    for feature in features:
        for name, items in feature.lists().items():
            if name not in context:
                raise RuntimeError(f"{type(feature).__name__} adds to {name}, which is no list")
            context[name] += items
    for feature in features:
        for name, word in feature.words().items():
            if name in context:
                raise RuntimeError(f"{type(feature).__name__} says {name} again")
            context[name] = word
    filled: dict[str, list[Callable[..., Iterable[str]]]] = {}
    for feature in features:
        if feature.template is not None:
            file, own = feature.template.split("/")
            template = environment.get_template(f"features/{file}.jinja")
            for name, block in template.blocks.items():
                prefix, _, slot_name = name.partition("__")
                if prefix == own:
                    filled.setdefault(slot_name, []).append(_rendering(template, block, context))

    def slot(name: str) -> Code:
        return Code("".join("".join(render()) for render in filled.get(name, ())))

    context["slot"] = slot
    return context


def _rendering(
    template: jinja2.Template, block: Callable[..., Iterable[str]], context: Mapping[str, Any]
) -> Callable[[], Iterable[str]]:
    return lambda: block(template.new_context(dict(context)))
