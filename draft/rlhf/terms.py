"""The terms of terms.yaml as the lexer reads them, and names of models."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ppoc.draft.text.glossary import even

# How people write the models that they mean most; sizes keep their case on the hub.
MODELS: tuple[tuple[str, str], ...] = (
    (r"distil[- ]?gpt-?2", "distilgpt2"),
    (r"gpt-?2[- ](?P<size>medium|large|xl)", "gpt2-{size}"),
    (r"(?P<size>medium|large|xl)[- ]gpt-?2", "gpt2-{size}"),
    (r"(?:small )?gpt-?2(?:[- ]small)?", "gpt2"),
    (r"pythia[- ](?P<size>\d+(?:\.\d+)?[mb])(?:[- ]deduped)?", "EleutherAI/pythia-{size}"),
    (r"gpt-?neo[- ](?P<size>\d+(?:\.\d+)?[mb])", "EleutherAI/gpt-neo-{size}"),
    (r"opt[- ](?P<size>125m|350m|1\.3b|2\.7b|6\.7b)", "facebook/opt-{size}"),
    (r"qwen-?(?P<version>2(?:\.5)?)[- ](?P<Size>\d+(?:\.\d+)?b)", "Qwen/Qwen{version}-{Size}"),
    (r"llama[- ]?3\.2[- ](?P<Size>[13]b)", "meta-llama/Llama-3.2-{Size}"),
    (r"smollm2?[- ](?P<Size>135m|360m|1\.7b)", "HuggingFaceTB/SmolLM2-{Size}"),
    (r"tiny[- ]?llama", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"),
)
HUB = re.compile(r"[A-Za-z][\w-]*/[A-Za-z][\w.-]*\w")
OWNERS = {"microsoft", "google", "facebook", "eleutherai", "qwen", "huggingfacetb", "meta-llama",
          "mistralai", "openai-community", "allenai", "bigscience", "tinyllama"}  # fmt: skip


@dataclass(frozen=True)
class Terms:
    """Phrases and their meanings; a meaning is a kind and a name, such as quantity and lr."""

    data: dict[str, Any]
    exact: dict[tuple[str, ...], frozenset[tuple[str, str]]]
    longest: int
    vocabulary: tuple[str, ...]  # of words long enough to be corrected to
    known: frozenset[str]  # words that are spelt as they should be, without their endings


@cache
def terms() -> Terms:
    """The terms of this folder, read once."""
    from ruamel.yaml import YAML

    text = (files("ppoc.draft.rlhf") / "terms.yaml").read_text(encoding="utf-8")
    data = YAML(typ="safe", pure=True).load(text)
    exact: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    for phrase, meaning in _phrases(data):
        exact.setdefault(tuple(map(even, phrase.split())), set()).add(meaning)
    words = {word for phrase, _ in _phrases(data) for word in phrase.split()}
    return Terms(
        data,
        {phrase: frozenset(meanings) for phrase, meanings in exact.items()},
        max(map(len, exact)),
        tuple(sorted(word for word in words if len(word) >= 5 and word.isascii())),
        frozenset(map(even, words)),
    )


def _phrases(data: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    listed: list[tuple[str, str, list[Any]]] = [
        *(("quantity", name, entry["words"]) for name, entry in data["quantities"].items()),
        *(("switch", path, entry["words"]) for path, entry in data["switches"].items()),
        *(("unsupported", name, entry["words"]) for name, entry in data["unsupported"].items()),
        *(("cue", name, phrases) for name, phrases in data["cues"].items()),
        *(("stage", name, phrases) for name, phrases in data["stages"].items()),
        *(("file_of", name, phrases) for name, phrases in data["files"].items()),
        *(("run_of", name, phrases) for name, phrases in data["starts"].items()),
        *(("kind", "rlhf", phrases) for phrases in data["kind"]),
        ("pipeline", "all", data["pipeline"]),
        ("new", "new", data["new"]),
        ("base", "base", data["base"]),
    ]
    for path, entry in data["choices"].items():
        listed += [("choice", f"{path}={value}", phrases) for value, phrases in entry.items()]
    for kind, name, phrases in listed:
        for phrase in phrases:
            yield str(phrase).lower(), (kind, name)


def model_at(text: str, at: int) -> tuple[str, int] | None:
    """The hub's name of a model that a text has at a place, and where it ends there."""
    small = text.lower()
    for pattern, name in MODELS:
        found = re.compile(rf"{pattern}(?![\w/])").match(small, at)
        if found:
            parts = {k: v.upper() if k == "Size" else v for k, v in found.groupdict().items()}
            return name.format(**parts), found.end()
    hub = HUB.match(text, at)
    if hub and (re.search(r"\d", hub[0]) or hub[0].partition("/")[0].lower() in OWNERS):
        return hub[0], hub.end()
    return None
