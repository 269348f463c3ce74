"""How well `ppoc draft` reads English: fields found and right, nothing invented, specs that check.

    python benchmarks/english/score.py            # all halves, those for rlhf last
    python benchmarks/english/score.py dev -v     # one half, with what went wrong

A field counts where the spec says that the request gave it. *Invented* is a field so given that the
request does not ask for, and a default that is not the one it names.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ppoc.compiler.agent.env.probe import probe
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.agent.fields import STAND_IN, field_table, preset_values, zoo_values
from ppoc.draft.compose import compose
from ppoc.draft.engines import read_offline
from ppoc.draft.rlhf.fields import defaults
from ppoc.draft.spec.drafts import Draft, NothingToDraftError
from ppoc.draft.spec.write import told

HERE = Path(__file__).parent
HALVES = ("dev", "held_out", "rlhf_dev", "rlhf_held_out")


@dataclass
class Score:
    """Counts over a file of requests."""

    requests: int = 0
    expected: int = 0
    found: int = 0  # of the expected
    given: int = 0  # fields that drafts say the request gave
    right: int = 0  # of the given
    invented: list[str] = field(default_factory=list)
    drafts: int = 0
    pass_check: int = 0
    listed: int = 0
    to_list: int = 0
    refusals: int = 0
    to_refuse: int = 0
    seconds: float = 0.0

    def row(self, name: str) -> str:
        """The row of the table."""
        recall, precision = self.found / self.expected, self.right / self.given
        return (
            f"| {name} | {self.requests} | {self.found}/{self.expected} = {recall:.3f} "
            f"| {self.right}/{self.given} = {precision:.3f} | {len(self.invented)} "
            f"| {self.pass_check}/{self.drafts} | {self.listed}/{self.to_list} "
            f"| {self.refusals}/{self.to_refuse} | {1000 * self.seconds / self.requests:.0f} |"
        )


HEADER = (
    "| half | requests | recall | precision | invented | `ppoc check` passes | listed | refused "
    "| ms each |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def same(a: Any, b: Any) -> bool:
    """Equal, up to the last digits of a float and up to 1 and 1.0."""
    if isinstance(a, bool) or isinstance(b, bool) or not isinstance(a, int | float):
        return type(a) is type(b) and a == b
    return isinstance(b, int | float) and abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def passes(text: str) -> bool:
    """Whether a spec has only advice against it, by all that `ppoc check` does but read data."""
    try:
        resolved = resolve_text(text, "spec.yaml")
        if isinstance(resolved, ResolvedAgent):
            probe(resolved, choose_backend=False)
    except SpecError:
        return False
    return True


def false_defaults(draft: Draft) -> Iterator[str]:
    """Defaults that are not what they say they are."""
    values = draft.values
    if draft.resolved.kind.name == "experiment":  # those of its runs
        inside = [value for value in values if value.path.startswith("base.")]
        values = [replace(value, path=value.path.removeprefix("base.")) for value in inside]
    named = [value.value for value in values if value.path == "algorithm"]
    if not named:
        for value in values:
            if value.why == "the language's" and value.value != defaults()[value.path]:
                yield f"{value.path}={value.value!r} is no default"
        return
    algorithm = named[0]
    for value in values:
        if value.origin != "default" or value.path in ("ppoc", "name"):
            continue
        named = [preset_values(algorithm).get(value.path)]
        if "the zoo's" in value.why:
            named = [zoo_values(value.why.split()[4].rstrip(",")).get(value.path)]
        if value.path in ("algorithm", "env.id"):
            named = ["ppo", STAND_IN]
        if "nearest" not in value.why and not any(same(value.value, other) for other in named):
            yield f"{value.path}={value.value!r} is no default ({value.why})"


def score(entries: list[dict[str, Any]], verbose: bool) -> Score:
    """Counts over some requests."""
    total = Score()
    for entry in entries:
        if entry.get("before") in field_table():
            continue
        total.requests += 1
        problems = _one(entry, total)
        if verbose and problems:
            print(f"\n{entry['request']}\n  " + "\n  ".join(problems))
    return total


def _one(entry: dict[str, Any], total: Score) -> list[str]:
    problems: list[str] = []
    expected, either = entry.get("fields", {}), entry.get("either", {})
    draft = None
    start = time.perf_counter()
    try:
        draft = compose(read_offline(entry["request"]))
        notes = draft.notes
    except NothingToDraftError as error:
        notes = error.notes
    total.seconds += time.perf_counter() - start
    if entry.get("refuses"):
        total.to_refuse += 1
        total.refusals += draft is None
    given = {} if draft is None else {
        v.path: v.value for v in draft.values if v.origin in ("request", "adapted")
    }  # fmt: skip
    total.expected += len(expected)
    for path, value in expected.items():
        hit = path in given and same(given[path], value)
        total.found += hit
        if not hit:
            problems.append(f"expected {path}={value!r}, got {given.get(path, 'nothing')!r}")
    for path, value in given.items():
        wanted = [expected[path]] if path in expected else either.get(path, [])
        right = any(same(value, other) for other in wanted)
        total.given += 1
        total.right += right
        if not wanted:
            total.invented.append(f"{path}={value!r}")
            problems.append(f"invented {path}={value!r}")
        elif not right:
            problems.append(f"wrong {path}={value!r}")
    if draft is not None:
        total.drafts += 1
        ok = passes(draft.text)
        total.pass_check += ok
        problems += [] if ok else ["does not pass ppoc check"]
        false = list(false_defaults(draft))
        total.invented += false
        problems += false
    said = "\n".join(f"{note.words} {told(note)}" for note in notes).lower()
    for words in entry.get("lists", []):
        total.to_list += 1
        total.listed += words.lower() in said
        problems += [] if words.lower() in said else [f"not listed: {words}"]
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("halves", nargs="*", default=list(HALVES))
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    rows = []
    for name in options.halves:
        entries = YAML(typ="safe").load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
        rows.append(score(entries, options.verbose).row(name))
    print(HEADER, *rows, sep="\n")


if __name__ == "__main__":
    main()
