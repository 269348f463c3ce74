"""The kinds of spec in English. No other file of drafting names them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.draft import agent_english, agent_spec
from ppoc.draft.claims import Note, Reading
from ppoc.draft.drafts import Draft, Value
from ppoc.draft.rlhf import compose as rlhf_spec
from ppoc.draft.rlhf import describe as rlhf_english


@dataclass(frozen=True)
class Drafting:
    """What drafting does of its own for a kind of spec.

    Attributes:
        compose: from a reading, and a name, to a spec.
        describe: a spec in English, and the paths of values that this has no words for.
        fitted: values that are moved until they fit each other; between are those they lie over.
        advice: what only the environment of a spec shows; raises SpecError where that is wrong.
        missing_files: a note for each file of a spec which is not there yet.
    """

    compose: Callable[[Reading, str | None], Draft]
    describe: Callable[[Any], tuple[str, list[str]]]
    fitted: Callable[[dict[str, Value], Mapping[str, Any], list[Note]], dict[str, Value]]
    advice: Callable[[Any], list[Diagnostic]]
    missing_files: Callable[[Any, Path], list[Note]]


KINDS = {
    "control": Drafting(
        agent_spec.compose,
        agent_english.describe,
        agent_spec.fitted,
        agent_spec.advice,
        lambda resolved, folder: [],
    ),
    "rlhf": Drafting(
        rlhf_spec.compose,
        rlhf_english.describe,
        rlhf_spec.fitted,
        lambda resolved: [],
        rlhf_spec.missing_files,
    ),
}
