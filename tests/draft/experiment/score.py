"""How well requests for experiments are read: facts that are found, and facts that are right.

python tests/draft/experiment/score.py dev -v       # one half, with what went wrong
python tests/draft/experiment/score.py held_out
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.compose import compose
from ppoc.draft.engines import read_offline
from ppoc.draft.experiment.fields import VARIANT
from ppoc.draft.spec.drafts import NothingToDraftError
from ppoc.draft.spec.write import told

REQUESTS = Path(__file__).parent / "requests.yaml"


@dataclass
class Score:
    """Counts over some requests; a fact is a path with a value, or a variant with its changes."""

    requests: int = 0
    expected: int = 0
    found: int = 0
    given: int = 0
    right: int = 0
    wrong_kind: int = 0
    checked: int = 0
    listed: int = 0
    to_list: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, recall {self.found}/{self.expected} = "
            f"{self.found / self.expected:.3f}, precision {self.right}/{self.given} = "
            f"{self.right / self.given:.3f}, of the wrong kind {self.wrong_kind}, "
            f"pass `ppoc check` {self.checked}, listed {self.listed}/{self.to_list}"
        )


def requests(half: str) -> list[dict[str, Any]]:
    """The requests of one half."""
    entries = YAML(typ="safe").load(REQUESTS.read_text(encoding="utf-8"))
    return [entry for entry in entries if entry["half"] == half]


def canonical(value: Any) -> Any:
    """A value whose 1 and 1.0 are the same, for comparison."""
    if isinstance(value, dict):
        return tuple(sorted((key, canonical(item)) for key, item in value.items()))
    if isinstance(value, list):
        return tuple(map(canonical, value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return repr(value)
    return f"{float(value):.9g}"


def wanted(entry: dict[str, Any]) -> list[tuple[str, Any]]:
    """The facts that a request asks for."""
    facts = [(f"base.{path}", canonical(v)) for path, v in entry.get("base", {}).items()]
    facts += [("variant", canonical(changes)) for changes in entry.get("variants", [])]
    facts += [(f"vary.{path}", canonical(v)) for path, v in entry.get("vary", {}).items()]
    facts += [(f"space.{path}", canonical(v)) for path, v in entry.get("space", {}).items()]
    for section in ("search", "compare", "budget"):
        facts += [(f"{section}.{p}", canonical(v)) for p, v in entry.get(section, {}).items()]
    facts += [
        (key, canonical(entry[key])) for key in ("seeds", "tasks", "question") if key in entry
    ]
    return facts


def given(draft: Any, variants: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """The facts of a draft that it says the request gave, and its variants.

    Args:
        variants: those that are asked for; defaults of others than their paths are no facts.
    """
    facts: list[tuple[str, Any]] = []
    changes: dict[str, dict[str, Any]] = {}
    asked = {path for own in variants for path in own}
    values = {value.path: value.value for value in draft.values}
    for value in draft.values:
        variant = VARIANT.fullmatch(value.path)
        if variant is not None:
            own = changes.setdefault(variant["name"], {})
            if variant["key"] and (value.origin != "default" or variant["key"] in asked):
                own[variant["key"]] = value.value
        elif value.origin != "default" and value.path != "base":
            path = value.path.removeprefix("search.") if ".space." in value.path else value.path
            path = f"base.{path[4:]}" if path.startswith("set.") else path
            facts.append((path, canonical(value.value)))
    if "tasks" in values:  # the base has the first of them
        facts = [fact for fact in facts if fact[0] != "base.env.id"]
    if "algorithm" in asked:  # variants are told apart by it, so that each has its own
        base = values.get("base.algorithm")
        for own in changes.values():
            own.setdefault("algorithm", base)
        facts = [fact for fact in facts if fact[0] != "base.algorithm"]
    return facts + [("variant", canonical(own)) for own in changes.values()]


def score(entries: list[dict[str, Any]]) -> Score:
    """Counts over some requests."""
    total = Score()
    for entry in entries:
        total.requests += 1
        problems = _one(entry, total)
        if problems:
            total.problems.append(f"{entry['request']}\n    " + "\n    ".join(problems))
    return total


def _one(entry: dict[str, Any], total: Score) -> list[str]:
    expected = wanted(entry)
    total.expected += len(expected)
    try:
        draft = compose(read_offline(entry["request"]))
    except NothingToDraftError:
        total.wrong_kind += 1
        return ["nothing is drafted"]
    kind = draft.resolved.kind.name
    problems = [] if kind == entry["kind"] else [f"is of kind {kind}"]
    total.wrong_kind += kind != entry["kind"]
    found = given(draft, entry.get("variants", []))
    if kind == "control":
        found = [(f"base.{path}", value) for path, value in found]
    rest = list(found)
    for fact in expected:
        if fact in rest:
            rest.remove(fact)
            total.found += 1
        else:
            problems.append(f"not found: {fact[0]} = {fact[1]}")
    problems += [f"not asked for: {path} = {value}" for path, value in rest]
    total.given += len(found)
    total.right += len(found) - len(rest)
    try:
        resolve_text(draft.text, "experiment.yaml")
        total.checked += 1
    except SpecError as error:
        problems.append(f"does not check: {error.diagnostics[0].message}")
    said = "\n".join(f"{note.words} {told(note)}" for note in draft.notes).lower()
    for words in entry.get("lists", []):
        total.to_list += 1
        total.listed += words.lower() in said
        problems += [] if words.lower() in said else [f"not listed: {words}"]
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("half", choices=["dev", "held_out"])
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    total = score(requests(options.half))
    print(*(total.problems if options.verbose else ()), total, sep="\n")


if __name__ == "__main__":
    main()
