"""A language model's task in requests for learning from human feedback."""

from ppoc.compiler.resolve import resolve_text
from ppoc.draft.models.grounding import Asked
from ppoc.draft.rlhf.compose import PATH, with_defaults
from ppoc.draft.rlhf.fields import table, takes
from ppoc.draft.rlhf.lexer import lex
from ppoc.draft.rlhf.reader import read
from ppoc.draft.rlhf.stages import STAGES
from ppoc.draft.rlhf.terms import terms
from ppoc.draft.spec import write
from ppoc.draft.spec.drafts import Value

FILES = ("data.demonstrations", "data.preferences", "data.prompts", "start.reward")


def answer_paths() -> list[str]:
    """The fields a model is asked for: those with words among the terms."""
    data = terms().data
    found = ["model.id", *FILES]
    for entry in data["quantities"].values():
        found += [entry["path"]] if "path" in entry else [entry["paths"][s] for s in STAGES]
    for path in data["choices"]:
        found += [path.replace("{stage}", stage) for stage in STAGES]
    found += list(data["switches"])
    taken = [path for path in dict.fromkeys(found) if path in table()]
    return [path for path in taken if path != "model.tokenizer"]


def _check(values: dict[str, Value]) -> None:
    """Raise the compiler's diagnostics of a spec with some values."""
    text = write.spec("", with_defaults(values, None), [], list(table()))
    resolve_text(text, PATH)


RLHF = Asked(
    "learning from human feedback of a language model",
    table,
    answer_paths,
    ("model.id",),
    FILES,
    lex,
    read,
    takes,
    _check,
)
