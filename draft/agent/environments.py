"""Names of environments in a request, against the registry that is installed."""

import re
from dataclasses import dataclass
from functools import cache

from ppoc.compiler.agent.env.probe import list_environments, package_of
from ppoc.draft.agent import atari
from ppoc.draft.text.glossary import glossary, tokens

_ID = re.compile(r"(?:[\w.]+[/:])?[A-Za-z][\w]*-v\d+\b")
_SUFFIXES = ("Continuous", "Hardcore", "Standup")
CLOSE = 84  # of 100: how alike a misspelt name must be


@dataclass(frozen=True)
class Found:
    """An environment that a request names; `env_id` is None where the registry has none like it."""

    env_id: str | None
    how: str


@cache
def _newest() -> dict[str, str]:
    """Name without version → newest id, of gymnasium's own environments."""
    newest: dict[str, tuple[int, str]] = {}
    for env_id in list_environments():
        found = re.fullmatch(r"(\w+)-v(\d+)", env_id)
        # Packages may have been imported before, and add theirs.
        own = "Environment" not in env_id and package_of(env_id) is None
        if found and own and found[1] not in _games():
            newest[found[1]] = max(newest.get(found[1], (-1, "")), (int(found[2]), env_id))
    return {name: env_id for name, (_, env_id) in newest.items()}


@cache
def _names() -> dict[str, str]:
    """Every way to write a name, in one word of small letters → the name in the registry."""
    names = {name.lower(): name for name in _newest()}
    for name, phrases in glossary().data["environments"].items():
        if name in _newest():
            names.update({"".join(tokens(phrase)): name for phrase in phrases})
    for name, phrases in _games().items():
        for words in (name.lower(), *("".join(tokens(phrase)) for phrase in phrases)):
            names.setdefault(words, name)
    return names


def _games() -> dict[str, list[str]]:
    """Atari game → its other names; whether the games are installed is another matter."""
    return dict(glossary().data["atari"]["games"])


def is_ordinary(name: str) -> bool:
    """Whether a name is a word of English too, such as Tennis."""
    return name in glossary().data["atari"]["ordinary"]


@cache
def longest_name() -> int:
    """The largest number of words that a name is made of."""
    phrases = (*glossary().data["environments"].values(), *_games().values())
    return max(len(tokens(phrase)) for group in phrases for phrase in group)


def named(words: str) -> str | None:
    """The name in the registry that words without spaces stand for."""
    return _names().get(words)


def alike(words: str) -> str | None:
    """The name that misspelt words are close to."""
    from rapidfuzz import fuzz, process

    if len(words) < 5:
        return None
    # Short names of games are too close to other words.
    names = [name for name, of in _names().items() if of not in _games() or len(name) > 7]
    near = process.extractOne(words, names, scorer=fuzz.ratio, score_cutoff=CLOSE)
    return _names()[near[0]] if near and abs(len(near[0]) - len(words)) <= 2 else None


def id_at(text: str, at: int) -> re.Match[str] | None:
    """The id, such as `Hopper-v5`, at a place of a text, or None."""
    return _ID.match(text, at)


def by_id(env_id: str) -> Found:
    """The environment of an id; the newest version where it has no such version."""
    if atari.is_atari(env_id):
        atari.register()
    for registered in list_environments():
        if registered.lower() == env_id.lower():
            return Found(registered, "")
    if atari.is_atari(env_id) and not atari.has_ale():
        return Found(None, atari.INSTALL)
    name = named(env_id.rpartition("-v")[0].lower()) or alike(env_id.rpartition("-v")[0].lower())
    if ":" in env_id or "/" in env_id or name is None:
        return Found(None, f"gymnasium has no environment {env_id} here")
    return Found(by_name(name, set()).env_id, f"there is no {env_id} here, so its newest version")


def by_name(name: str, words: set[str]) -> Found:
    """The newest version of a name; `words` of the request may ask for a variant of it."""
    if name in _games():
        return _game(name)
    for suffix in _SUFFIXES:
        if suffix.lower() in words and name + suffix in _newest():
            name += suffix
    return Found(_newest()[name], "the newest version installed")


def _game(name: str) -> Found:
    """An Atari game, in the version whose frames the preprocessing skips itself."""
    env_id = f"{name}NoFrameskip-v4"
    atari.register()
    if env_id in list_environments():
        return Found(env_id, "the version that leaves frame skips to `atari`")
    return Found(None, atari.INSTALL if not atari.has_ale() else f"ale_py has no {env_id}")


def newest_of(env_id: str) -> str | None:
    """The newest version of the environment that an id names."""
    found = _newest().get(env_id.rpartition("-v")[0])
    return found if found != env_id else None
