"""Readers of a request: the offline one, or a language model whose answer is held against it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ppoc.draft.kinds import KINDS
from ppoc.draft.models.settings import EngineFailedError, Settings
from ppoc.draft.text.claims import LOST, Claim, Note, Reading


def understand(request: str, chosen: Settings, known: Mapping[str, Any] | None = None) -> Reading:
    """Read a request, by the reader alone or with a model; a model that fails is left out.

    Raises:
        RequestError: the request is too long, also for the things that it compares.
    """
    reading = read_offline(request, known)
    if chosen.kind == "offline":
        return reading
    try:
        from ppoc.draft.models.symbolic import ask

        claims, notes = ask(request, chosen, KINDS[reading.kind].asked)
    except ImportError as error:
        what = f"it needs `pip install 'ppoc[draft]'` ({error.name} is missing)"
        return _offline(reading, what)
    except EngineFailedError as error:
        return _offline(reading, str(error))
    return joined(reading, claims, notes)


def read_offline(request: str, known: Mapping[str, Any] | None = None) -> Reading:
    """Read a request with the offline reader of the kind of spec that it asks for.

    Raises:
        RequestError: the request is too long, also for the things that it compares.
    """
    kind = next(kind for kind in KINDS.values() if kind.is_asked(request, known))
    return kind.read(request, known)


def _offline(reading: Reading, why: str) -> Reading:
    note = Note("question", "", f"the language model was not used: {why}; read offline")
    return replace(reading, notes=[*reading.notes, note])


def joined(reading: Reading, claims: list[Claim], notes: list[Note]) -> Reading:
    """The reader's claims and those a model adds; where they differ, the reader's."""
    ours = {claim.path: claim for claim in reading.claims}
    added = [claim for claim in claims if claim.path not in ours]
    differ = [
        Note(
            "question",
            reading.words(claim.start, claim.end),
            f"the model reads `{claim.path}` as {claim.value!r}, the reader as "
            f"{ours[claim.path].value!r}: taking the reader's",
        )
        for claim in claims
        if claim.path in ours and ours[claim.path].value != claim.value
    ]
    found = [reading.words(claim.start, claim.end) for claim in added]
    kept = [n for n in reading.notes if n.text != LOST or not any(n.words in w for w in found)]
    return replace(reading, claims=[*reading.claims, *added], notes=[*kept, *notes, *differ])
