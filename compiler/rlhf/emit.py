"""A spec of `kind: rlhf` becomes the source text of a training module."""

from collections.abc import Mapping, Set

from ppoc.compiler.emission.constants import interface_words
from ppoc.compiler.emission.features import feature_context
from ppoc.compiler.emission.imports import import_lines
from ppoc.compiler.emission.rendering import environment, rendered
from ppoc.compiler.rlhf.features import LISTS, features_of
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.language.values import Stage
from ppoc.compiler.rlhf.plan import RlhfPlan


def emit(
    spec: RlhfSpec,
    files: Mapping[str, str],
    places: Mapping[str, str],
    compiled: Set[Stage] = frozenset(),
) -> str:
    """The module of a spec, with what an RlhfPlan has. The same spec gives the same bytes.

    Raises:
        RuntimeError: the text is not Python or its constants are not the spec's: a compiler bug.
    """
    plan = RlhfPlan(spec, files, places, compiled)
    context = feature_context(environment(), features_of(plan), LISTS)
    context |= interface_words(context["constants"], context["settings"])
    context["imports"] = import_lines(context["imports"])
    return rendered("rlhf/module.jinja", context, context["constants"])
