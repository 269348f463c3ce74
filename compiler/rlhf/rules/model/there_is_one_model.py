"""E404: a model of the hub or a folder, or a new one, whose sizes fit each other."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.rlhf.resolved import RlhfResolved

ROTARY = {"llama": 2, "gpt_neox": 8}  # what the size of a head is a multiple of; half, or an eighth


@rule(
    "E404",
    "model.config.architecture",
    "model.config.heads",
    "model.config.hidden_size",
    "model.id",
    "model.revision",
)
def there_is_one_model(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    model = resolved.spec.model
    if (model.id is None) == (model.config is None):
        both = model.id is not None
        yield resolved.diagnostic(
            "E404",
            ("model", "config") if both else ("model",),
            "both `id` and `config` say what the model is" if both else "no model is given",
            help="keep one of them" if both else "such as `id: gpt2`, or `config: {layers: 2}`",
        )
    elif model.revision is not None and model.id is None:
        yield resolved.diagnostic(
            "E404",
            ("model", "revision"),
            "a new model has no revision",
            help="remove it, or give `id` instead of `config`",
        )
    if model.config is None:
        return
    width, heads = model.config.hidden_size, model.config.heads
    if width % heads:
        near = ", ".join(str(n * heads) for n in (width // heads, width // heads + 1) if n)
        yield resolved.diagnostic(
            "E404",
            resolved.first_explicit(
                ("model", "config", "hidden_size"), ("model", "config", "heads")
            ),
            f"{heads} heads cannot share a width of {width} evenly",
            help=f"the nearest widths that they can: {near}",
        )
        return
    step = ROTARY.get(model.config.architecture, 1)
    if width // heads % step:
        yield resolved.diagnostic(
            "E404",
            resolved.first_explicit(
                ("model", "config", "hidden_size"), ("model", "config", "heads")
            ),
            f"heads of {width // heads} numbers have no rotary positions",
            why=f"those of {model.config.architecture} turn pairs of numbers of a head",
            help=f"take a width such as {(width // heads // step + 1) * step * heads}",
        )
