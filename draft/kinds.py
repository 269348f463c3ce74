"""How specs of each kind are drafted. No other file of drafting names the kinds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.draft.agent.asked import AGENT
from ppoc.draft.agent.compose import advice
from ppoc.draft.agent.compose import compose as compose_agent
from ppoc.draft.agent.compose import fitted as fitted_agent
from ppoc.draft.agent.describe import describe as describe_agent
from ppoc.draft.agent.reader import read as read_agent
from ppoc.draft.models.grounding import Asked
from ppoc.draft.rlhf.asked import RLHF
from ppoc.draft.rlhf.compose import compose as compose_rlhf
from ppoc.draft.rlhf.compose import fitted as fitted_rlhf
from ppoc.draft.rlhf.compose import missing_files
from ppoc.draft.rlhf.describe import describe as describe_rlhf
from ppoc.draft.rlhf.reader import is_one as is_rlhf
from ppoc.draft.rlhf.reader import read as read_rlhf
from ppoc.draft.spec.drafts import Draft, Value
from ppoc.draft.text.claims import Note, Reading


@dataclass(frozen=True)
class Drafting:
    """All that drafting knows of a kind of spec.

    Attributes:
        is_asked: whether a request, or the values that it changes, are of this kind.
        read: the offline reader.
        compose: the spec of a reading.
        fitted: changes of known values, moved to where they fit each other.
        describe: a spec in English, and the paths without words.
        asked: the task of a language model.
        advice: what only the environment of a spec shows; raises SpecError where that is wrong.
        missing_files: a note for each file of a spec which is not there yet.
    """

    is_asked: Callable[[str, Mapping[str, Any] | None], bool]
    read: Callable[[str, Mapping[str, Any] | None], Reading]
    compose: Callable[[Reading, str | None], Draft]
    fitted: Callable[[dict[str, Value], Mapping[str, Any], list[Note]], dict[str, Value]]
    describe: Callable[[Any], tuple[str, list[str]]]
    asked: Asked
    advice: Callable[[Any], list[Diagnostic]]
    missing_files: Callable[[Any, Path], list[Note]]


# The last is the kind of a request that is of no other.
KINDS = {
    "rlhf": Drafting(
        is_rlhf,
        read_rlhf,
        compose_rlhf,
        fitted_rlhf,
        describe_rlhf,
        RLHF,
        lambda resolved: [],
        missing_files,
    ),
    "control": Drafting(
        lambda request, known: True,
        read_agent,
        compose_agent,
        fitted_agent,
        describe_agent,
        AGENT,
        advice,
        lambda resolved, folder: [],
    ),
}
