"""The emitter: a plan becomes the source text of a training module."""

from ppoc.compiler.agent.features import LISTS, features_of
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.constants import interface_words
from ppoc.compiler.emission.features import feature_context
from ppoc.compiler.emission.imports import import_lines
from ppoc.compiler.emission.rendering import environment, rendered


def emit(plan: Plan) -> str:
    """The module of a plan. The same plan gives the same bytes.

    Raises:
        RuntimeError: the text is not Python or its constants are not the plan's: a compiler bug.
    """
    context = feature_context(environment(), features_of(plan), LISTS)
    context |= interface_words(context["constants"], context["settings"])
    context["imports"] = import_lines(["from ppoc import runtime", *context["imports"]])
    shapes = {"SHAPES": dict(plan.networks.shapes())}
    return rendered("agent/module.jinja", context, context["constants"], shapes)
