"""The language model that reads requests, and how it is reached.

Settings come from flags and the environment: PPOC_DRAFT_ENGINE, PPOC_DRAFT_BASE_URL,
PPOC_DRAFT_MODEL, PPOC_DRAFT_TIMEOUT (seconds, of all requests together), and the key from
PPOC_DRAFT_API_KEY, for OpenAI also OPENAI_API_KEY. Keys are sent to the server they are for, and
are written nowhere.
"""

import math
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LONGEST = 3_600  # seconds
OPENAI = "https://api.openai.com/v1"
HELP = "engines: offline, openai (with --base-url and --model), symai:MODEL, symai:offline"


class EngineError(Exception):
    """An engine that cannot be used as it is asked for."""


class EngineFailedError(Exception):
    """An engine that gave no usable answer; the message says why, without secrets."""


@dataclass(frozen=True)
class Settings:
    """The engine that reads requests, and how it is reached."""

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
