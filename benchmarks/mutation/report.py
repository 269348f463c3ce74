"""The table of what the tests noticed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faults import OPERATORS
from ruamel.yaml import YAML

EXPLAINED = Path(__file__).with_name("explained.yaml")


def explanations() -> dict[str, str]:
    """Why a fault that survives is none: file and change → reason."""
    listed = YAML(typ="safe").load(EXPLAINED.read_text(encoding="utf-8"))
    return {each["fault"]: each["reason"] for each in listed}


def write_report(
    path: Path, chosen: Sequence[Any], verdicts: Mapping[str, Mapping[str, Any]], setup: str
) -> None:
    """Write how many faults were killed, and what became of each."""
    reasons = explanations()
    outcomes = {
        x.key: "explained"
        if (outcome := verdicts[x.key]["outcome"]) == "survived" and x.key in reasons
        else outcome
        for x in chosen
    }
    count = Counter(outcomes.values())
    tried = count["killed"] + count["survived"]
    operators = Counter(x.fault.operator for x in chosen)
    lines = [
        "# Faults that the tests notice",
        "",
        "`python benchmarks/mutation/run.py`: one fault at a time is put into a copy of the tree, "
        "and the tests that reach its file are run until one fails; tests that compare texts "
        f"(golden modules, locks) are left out. {setup}",
        "",
        f"**{count['killed']} of {tried} faults are killed ({count['killed'] / tried:.1%}).** "
        f"Besides, {count['explained']} survive that change nothing that counts, each with "
        f"its reason below, and {count['too easy']} are left out that any run shows (a name that "
        "is not there, a text that is no Python).",
        "",
        "| operator | faults |",
        "| --- | --- |",
        *(f"| {name} | {operators[name]} |" for name in OPERATORS),
        "",
        "| file | faults | killed | survived | explained | too easy |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    files = list(dict.fromkeys(x.file for x in chosen))
    for file in files:
        of_file = Counter(outcomes[x.key] for x in chosen if x.file == file)
        kinds = (of_file[kind] for kind in ("killed", "survived", "explained", "too easy"))
        lines.append(f"| {file} | {of_file.total()} | {' | '.join(map(str, kinds))} |")
    lines += ["", "## Survivors", ""]
    survivors = [x for x in chosen if outcomes[x.key] in ("survived", "explained")]
    for x in survivors:
        reason = reasons.get(x.key, "not explained")
        lines.append(f"- {x.file}: {_code(x.fault.change)}: {reason}")
    for file in files:
        lines += [
            "",
            f"## {file}",
            "",
            "| fault | operator | outcome | by |",
            "| --- |" + " --- |" * 3,
        ]
        for x in chosen:
            if x.file == file:
                by = verdicts[x.key]["by"]
                lines.append(
                    f"| {_code(x.fault.change)} | {x.fault.operator} | {outcomes[x.key]} | {by} |"
                )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _code(change: str) -> str:
    """A change as code in a table."""
    before, after = change.split(" → ")
    return f"`{before}` → `{after}`".replace("|", "\\|")
