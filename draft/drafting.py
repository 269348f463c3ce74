"""All that drafting knows of a kind of spec."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.draft.models.grounding import Asked
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
        below: the values that those of a reading lie over.
        say: one value in words, or None where there are none.
        steps: the keys that a path is made of.
        lacks_environment: whether a reading names none where its runs need one.
        order: paths of the language, in the order in which a spec has them.
    """

    is_asked: Callable[[str, Mapping[str, Any] | None], bool]
    read: Callable[[str, Mapping[str, Any] | None], Reading]
    compose: Callable[[Reading, str | None], Draft]
    fitted: Callable[[dict[str, Value], Mapping[str, Any], list[Note]], dict[str, Value]]
    describe: Callable[[Any], tuple[str, list[str]]]
    asked: Asked
    advice: Callable[[Any], list[Diagnostic]]
    missing_files: Callable[[Any, Path], list[Note]]
    below: Callable[[Reading], Mapping[str, Any]]
    say: Callable[[str, Any], str | None]
    order: Callable[[], Sequence[str]]
    steps: Callable[[str], list[str]] = lambda path: path.split(".")
    lacks_environment: Callable[[Reading], bool] = lambda reading: False
