"""The glossary as the lexer reads it: phrases in, meanings out."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from ppoc.draft.text.number_words import vocabulary

WORD = re.compile(
    r"[\u3400-\u9fff]|[^\W\d_\u3400-\u9fff](?:[^\W_\u3400-\u9fff]|(?<=[^\W\d_])['’](?=[^\W\d_]))*"
)


@dataclass(frozen=True)
class Glossary:
    """Phrases and their meanings; a meaning is a kind and a name, such as quantity and lr."""

    data: dict[str, Any]
    exact: dict[tuple[str, ...], frozenset[tuple[str, str]]]
    evened: dict[tuple[str, ...], frozenset[tuple[str, str]]]
    longest: int
    vocabulary: tuple[str, ...]  # of words long enough to be corrected to
    known: frozenset[str]  # words that are spelt as they should be


@cache
def glossary() -> Glossary:
    """The glossary of this folder, read once."""
    from ruamel.yaml import YAML

    text = (files("ppoc.draft.text") / "glossary.yaml").read_text(encoding="utf-8")
    data = YAML(typ="safe", pure=True).load(text)
    exact: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    evened: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    for phrase, meaning in _phrases(data):
        words = tuple(tokens(phrase))
        exact.setdefault(words, set()).add(meaning)
        evened.setdefault(tuple(map(even, words)), set()).add(meaning)
    single = {word for phrase in exact for word in phrase}
    known = single | {even(word) for word in single} | set(data["not_misspelt"]) | vocabulary()
    long = tuple(sorted(w for w in single | vocabulary() if len(w) >= 5 and w.isascii()))
    return Glossary(
        data,
        {words: frozenset(meanings) for words, meanings in exact.items()},
        {words: frozenset(meanings) for words, meanings in evened.items()},
        max(map(len, exact)),
        long,
        frozenset(known),
    )


def tokens(phrase: str) -> list[str]:
    """The words of a phrase in small letters; `=`, `~` and such stand for themselves."""
    return [m[0].replace("’", "'") for m in WORD.finditer(phrase.lower())] or [phrase]


def _phrases(data: dict[str, Any]) -> list[tuple[str, tuple[str, str]]]:
    found: list[tuple[str, tuple[str, str]]] = []

    def add(kind: str, name: str, phrases: list[Any]) -> None:
        found.extend((str(phrase), (kind, name)) for phrase in phrases)

    for name, entry in data["quantities"].items():
        add("quantity", name, entry["words"])
    for path, entry in data["choices"].items():
        for value, phrases in entry["values"].items():
            add("choice", f"{path}={value}", phrases)
    for path, entry in data["switches"].items():
        add("switch", path, entry["words"])
    for path, phrases in data["objects"].items():
        add("object", path, phrases)
    for cue, phrases in data["cues"].items():
        add("cue", cue, phrases)
    for name, phrases in data["algorithms"].items():
        add("algorithm", name, phrases)
    for name, entry in data["unsupported"].items():
        add("unsupported", name, entry["words"])
    add("elsewhere", "environment", data["elsewhere"])
    return found


@lru_cache(maxsize=16_384)
def even(word: str) -> str:
    """A word without the endings that make no difference: plural, genitive, British spelling."""
    word = word.removesuffix("'s")
    word = re.sub(r"is(e|ed|es|ing|ation|ations)$", r"iz\1", word)
    word = re.sub(r"iz(e|ed|es|ing|ation|ations)$", "iz", word)
    if len(word) > 4 and re.search(r"(ch|sh|x)es$", word):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@cache
def corrected(word: str) -> str:
    """A misspelt word as the glossary spells it; any other word as it is."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    terms = glossary()
    if len(word) < 4 or not word.isascii() or word in terms.known or even(word) in terms.known:
        return word
    limit = 1 if len(word) < 7 else 2
    close = process.extract(word, terms.vocabulary, scorer=OSA.distance, score_cutoff=limit)
    for other, _, _ in sorted(close, key=lambda item: item[1]):
        if other[0] == word[0]:
            return str(other)
    return word
