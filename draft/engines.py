"""Who reads a request: the offline reader, or a language model whose answer is checked against it.

Settings come from flags and the environment: PPOC_DRAFT_ENGINE, PPOC_DRAFT_BASE_URL,
PPOC_DRAFT_MODEL, PPOC_DRAFT_TIMEOUT (seconds, of all requests together), and the key from
PPOC_DRAFT_API_KEY, for OpenAI also OPENAI_API_KEY. Keys are sent to the server they are for, and
are written nowhere.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from ppoc.draft.claims import Claim, Note, Reading
from ppoc.draft.quantities import LOST
from ppoc.draft.reader import read
from ppoc.draft.rlhf import reader as rlhf

LONGEST = 3_600  # seconds
OPENAI = "https://api.openai.com/v1"
HELP = "engines: offline, openai (with --base-url and --model), symai:MODEL, symai:offline"


class EngineError(Exception):
    """An engine that cannot be used as it is asked for."""


class EngineFailedError(Exception):
    """An engine that gave no usable answer; the message says why, without secrets."""


@dataclass(frozen=True)
class Settings:
    """Which engine, and how it is reached."""

    kind: str = "offline"  # offline, openai or symai
    model: str = ""
    base_url: str = OPENAI
    key: str = field(default="", repr=False)
    timeout: float = 120.0  # seconds of all requests of a draft together
    attempts: int = 3


def settings(
    engine: str | None = None, base_url: str | None = None, model: str | None = None
) -> Settings:
    """Settings of flags, with the environment below them.

    Raises:
        EngineError: the engine is unknown, or lacks a model or a proper URL.
    """
    chosen = engine or os.environ.get("PPOC_DRAFT_ENGINE") or "offline"
    base_url = base_url or os.environ.get("PPOC_DRAFT_BASE_URL") or OPENAI
    model = model or os.environ.get("PPOC_DRAFT_MODEL") or ""
    kind, _, name = chosen.partition(":")
    to_openai = name.startswith("openai:") or (kind == "openai" and base_url.startswith(OPENAI))
    own = os.environ.get("OPENAI_API_KEY") if to_openai else ""
    key = os.environ.get("PPOC_DRAFT_API_KEY") or own or ""
    if kind not in ("offline", "openai", "symai"):
        raise EngineError(f"no engine {chosen!r}; {HELP}")
    if kind == "symai" and not name:
        raise EngineError(f"which of SymbolicAI's models? {HELP}")
    if kind == "openai":
        if not model:
            raise EngineError("the engine openai needs --model, or PPOC_DRAFT_MODEL")
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.username:
            raise EngineError("--base-url is an http or https address without a password in it")
        if url.scheme == "http" and key and not _is_local(url.hostname):
            raise EngineError("a key is sent over https only, or to this machine")
    try:
        timeout = float(os.environ.get("PPOC_DRAFT_TIMEOUT") or Settings.timeout)
    except ValueError:
        timeout = math.nan
    if not 0 < timeout <= LONGEST:
        raise EngineError(f"PPOC_DRAFT_TIMEOUT is a number of seconds, {LONGEST:,} at most")
    return Settings(kind, name or model, base_url.rstrip("/"), key, timeout)


def _is_local(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def understand(request: str, chosen: Settings, known: Mapping[str, Any] | None = None) -> Reading:
    """What a request says, by the reader alone or with a model; a model that fails is left out.

    Raises:
        RequestError: the request is too long.
    """
    reading = read_offline(request, known)
    if chosen.kind == "offline":
        return reading
    try:
        from ppoc.draft.grounding import AGENT
        from ppoc.draft.rlhf.asked import RLHF
        from ppoc.draft.symbolic import ask

        asked = RLHF if reading.kind == "rlhf" else AGENT
        claims, notes = ask(request, chosen, asked=asked)
    except ImportError as error:
        what = f"it needs `pip install 'ppoc[draft]'` ({error.name} is missing)"
        return _offline(reading, what)
    except EngineFailedError as error:
        return _offline(reading, str(error))
    return joined(reading, claims, notes)


def read_offline(request: str, known: Mapping[str, Any] | None = None) -> Reading:
    """What the offline reader of the kind of spec that is asked for reads.

    Raises:
        RequestError: the request is too long.
    """
    if rlhf.is_one(request, known):
        return rlhf.read(request, known)
    return read(request, known)


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
