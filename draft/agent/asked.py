"""A language model's task in requests for an agent."""

from ppoc.compiler.agent.presets import presets
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.agent.compose import with_defaults
from ppoc.draft.agent.fields import field_table, takes
from ppoc.draft.agent.lexer import lex
from ppoc.draft.agent.reader import read
from ppoc.draft.models.grounding import Asked
from ppoc.draft.spec import write
from ppoc.draft.spec.drafts import Value
from ppoc.draft.text.glossary import glossary

# Fields that take a list or a mapping, of which a model gives nothing but widths of layers.
UNASKED = ("env.wrappers", "env.atari")


def answer_paths() -> list[str]:
    """The fields a model is asked for: those with words in the glossary."""
    data = glossary().data
    found = ["algorithm", "env.id"]
    for entry in data["quantities"].values():
        path = entry["path"]
        found += [path] if path else []
        if path and (entry.get("per_role") or entry.get("both")):
            found.append(path.replace(".actor.", ".critic."))
    for path, entry in data["choices"].items():
        found += [path, *([path.replace(".actor.", ".critic.")] if entry.get("per_role") else [])]
    found += [path for path in data["switches"] if path != "networks.critic"]
    return [path for path in dict.fromkeys(found) if path in field_table() and path not in UNASKED]


def _check(values: dict[str, Value]) -> None:
    resolve_text(write.spec("", with_defaults(values, None), [], list(field_table())), "spec.yaml")


AGENT = Asked(
    "a reinforcement-learning agent",
    field_table,
    answer_paths,
    ("algorithm", "env.id"),
    (),
    lex,
    read,
    takes,
    _check,
    {"algorithm": lambda: list(presets())},
)
