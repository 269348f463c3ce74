"""E417: another vocabulary, or weights of other shapes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.pretrained import vocabulary_of
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E417", "data.demonstrations", "model.*", "start.policy", "start.reward", phase=Phase.PROBED)
def models_fit_each_other(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    for what, other in facts.starts.items():
        if isinstance(other, RlhfResolved):
            yield from _fit(resolved, other, what, resolved.file("start", what))


def _fit(
    resolved: RlhfResolved, other: RlhfResolved, what: str, folder: Path
) -> Iterator[Diagnostic]:
    ours, theirs = vocabulary_of(resolved), vocabulary_of(other)
    if ours != theirs:
        yield resolved.diagnostic(
            "E417",
            ("start", what),
            f"the {what} of {folder.name} reads other tokens: {theirs}, not {ours}",
            why="token 17 of one vocabulary is another word in the other",
            help="set `model.tokenizer` (and `model.id`) as the run has them",
        )
    elif what == "policy" and resolved.spec.model != other.spec.model:
        mine, its = resolved.spec.model.model_dump(), other.spec.model.model_dump()
        keys = [key for key in mine if mine[key] != its[key] and key not in ("id", "tokenizer")]
        if keys:
            yield resolved.diagnostic(
                "E417",
                ("start", what),
                f"the policy of {folder.name} is another model: `{keys[0]}` is "
                f"{_short(its[keys[0]])}, not {_short(mine[keys[0]])}",
                why="its weights are loaded into this spec's model",
                help="set `model` as the run has it",
            )


def _short(value: Any) -> str:
    return json.dumps(value)[:100]
