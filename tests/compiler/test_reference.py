"""docs/language.md is what the models say."""

import ast
import re
from pathlib import Path

import pytest

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.experiment.language import ExperimentSpec
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.reference import markdown
from ppoc.compiler.resolve import resolve_text
from ppoc.compiler.rlhf.language import RlhfSpec

DOCS = Path(__file__).parents[2] / "docs"


def test_the_language_reference_is_current():
    """`ppoc schema --markdown > docs/language.md` brings it up to date."""
    assert (DOCS / "language.md").read_text(encoding="utf-8") == markdown()


def test_the_reference_has_every_key_with_its_range_and_default():
    text = markdown()
    assert "| `lambda` | number, ≥ 0, ≤ 1 | `0.95` |" in text
    assert "| `id` | text | required |" in text
    assert "whole number" in next(line for line in text.splitlines() if "`rollout_steps`" in line)


def test_the_reference_speaks_of_no_types():
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    for row in rows:
        value = row.split(" | ")[1]
        assert not re.search(r"<class|Constraints|pattern|ss\b|None|typing|\{\}", value), row
        assert re.fullmatch(r"[\w `,;≥≤<>().-]+", value), row
    assert "list of up to 16 whole numbers (≥ 1, ≤ 8,192)" in markdown()
    assert "list of 2 whole numbers (≥ 1, ≤ 4,096); or `null`" in markdown()


AGENT = "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n"
EXPERIMENT = """\
ppoc: 1
kind: experiment
base: ppo/cartpole
search:
  space: {update.epochs: {int: [1, 9]}}
"""
RLHF = "ppoc: 1\nkind: rlhf\nmodel: {id: gpt2}\ndata: {demonstrations: d, preferences: p}\n"


def rows(part):
    """The keys of a part of the reference as paths, with their defaults."""
    section: tuple[str, ...] = ()
    for line in part.splitlines():
        if line.startswith("## "):
            path = re.match(r"## `([a-z_.]+)`", line)
            section = tuple(path[1].split(".")) if path else ()
        elif line.startswith("| `"):
            key, _, default, _ = line.strip("| ").split(" | ", 3)
            yield (*section, key.strip("`")), default


def read(cell):
    """The value of a default as the reference prints it."""
    text = cell.strip("`")
    try:
        return {"null": None, "true": True, "false": False}[text]
    except KeyError:
        return ast.literal_eval(text) if re.match(r"[\d\[{-]", text) else text


def value_at(spec, path):
    """A value of a spec; what it is in a section of which nothing else is given."""
    for key in path:
        fields = type(spec).model_fields
        (name,) = (name for name, info in fields.items() if key in (name, info.alias))
        spec = getattr(spec, name)
        if spec is None:
            return None
    return spec


@pytest.mark.parametrize(
    ("kind", "model", "text", "least"),
    [
        ("agent", AgentSpec, AGENT, 90),
        ("rlhf", RlhfSpec, RLHF, 70),
        ("experiment", ExperimentSpec, EXPERIMENT, 30),
    ],
)
def test_what_is_required_is_and_what_is_not_has_its_default(kind, model, text, least):
    """Also in a section of which nothing else is given, where it is not the section's default."""
    agent, rlhf, experiment = re.split("^# Specs of `kind: .*`$", markdown(), flags=re.MULTILINE)
    parts = {"agent": agent.partition("## The preset")[0], "rlhf": rlhf, "experiment": experiment}
    whole = resolve_text(text, "spec.yaml").spec.model_dump(by_alias=True)
    minimal = {key: whole[key] for key in ("ppoc", "kind", "name", "algorithm") if key in whole}
    minimal |= {
        "agent": {"env": {"id": "x"}},
        "rlhf": {"model": {"id": "x"}, "data": {}},
        "experiment": {"search": whole.get("search")},
    }[kind]
    found = list(rows(parts[kind]))
    assert len(found) > least
    for path, default in found:
        if default == "the file's name":
            assert whole["name"] == "spec"
        elif default == "required":
            lines = [line for line in text.splitlines() if not line.startswith(f"{path[0]}:")]
            with pytest.raises(SpecError):
                resolve_text("\n".join(lines), "spec.yaml")
        elif path[:2] == ("search", "space"):  # of one of its keys
            assert default == "`null`"
        elif path != ("model", "id"):
            section: dict = {}
            for name in reversed(path[:-1]):
                section = {name: section}
            given = {**minimal, **{k: {**minimal.get(k, {}), **v} for k, v in section.items()}}
            assert value_at(model.model_validate(given), path) == read(default), path
            if (usual := value_at(model.model_validate(minimal), path)) is not None:
                assert usual == read(default), path
