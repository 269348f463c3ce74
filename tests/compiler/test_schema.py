"""The JSON Schema agrees with the language about the zoo, and about mistakes."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from ppoc.compiler.batch import check
from ppoc.compiler.front.diagnostics import render
from ppoc.compiler.front.source import parse
from ppoc.compiler.schema import json_schema

ROOT = Path(__file__).parents[2]
SPECS = [p for p in sorted((ROOT / "specs").glob("*/*.yaml")) if p.parent.name != "presets"]
RLHF = {"ppoc": 1, "kind": "rlhf", "model": {"id": "gpt2"}}
GOOD = {"ppoc": 1, "algorithm": "ppo", "env": {"id": "CartPole-v1"}}


def valid(document):
    """The verdict on which drafts 7 and 2020-12 of JSON Schema agree."""
    kinds = (jsonschema.Draft7Validator, jsonschema.Draft202012Validator)
    (verdict,) = {kind(json_schema()).is_valid(document) for kind in kinds}
    return verdict


def test_the_schema_is_one():
    jsonschema.Draft7Validator.check_schema(json_schema())
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_zoo_is_valid(path):
    document = parse(path.read_text(encoding="utf-8"), path.name).plain()
    jsonschema.validate(document, json_schema())


def test_mistakes_are_not():
    assert valid(GOOD)
    assert valid({"extends": "base.yaml"})
    assert valid({**GOOD, "training": {"total_steps": 1e6}})  # as `ppoc check` reads it
    assert valid({**GOOD, "losses": {"policy": {"ε": 0.1}, "entropy": {"β": 0.01}}})
    for wrong in (
        {"ppoc": 1},
        {**GOOD, "epochs": 3},
        {**GOOD, "algorithm": "sac"},
        {**GOOD, "update": {"epochs": 0}},
        {**GOOD, "training": {"device": "gpu"}},
        {**GOOD, "lock": {"format": 1}},
        {"extends": "base.py"},
        {**GOOD, "kind": "sft"},
    ):
        assert not valid(wrong), wrong


def test_the_kind_says_which_language_a_spec_is_in():
    assert valid({**GOOD, "kind": "control"})
    assert valid(RLHF)
    assert valid({"kind": "rlhf", "extends": "base.yaml"})
    assert valid({**RLHF, "ppo": {"kl": {"β": 0.1}, "advantage": {"γ": 1, "λ": 0.95}}})
    assert valid({**RLHF, "model": {"id": "gpt2", "tokenizer": {"bpe": 512}}})
    for wrong in (
        {**RLHF, "kind": "control"},
        {**RLHF, "env": {"id": "CartPole-v1"}},
        {**RLHF, "stages": ["dpo"]},
        {**RLHF, "stages": []},
        {**RLHF, "ppo": {"kl": {"beta": -1}}},
        {**RLHF, "model": {"id": "gpt2", "tokenizer": {"bpe": 8}}},
        {key: value for key, value in RLHF.items() if key != "kind"},
    ):
        assert not valid(wrong), wrong


def test_experiments_are_valid_and_complete_the_keys_of_their_runs():
    base = {"ppoc": 1, "kind": "experiment", "base": "ppo/cartpole"}
    changes = {"optimizer.actor.lr": 1e-4, "losses": {"entropy": {"beta": 0.1}}, "advantage.λ": 0.9}
    space = {"update.epochs": {"int": [1, 9]}, "networks.actor.activation": {"choice": ["tanh"]}}
    for right in (
        {**base, "set": changes, "variants": {"a": {}, "b": {"base": {"ppoc": 1}, **changes}}},
        {**base, "vary": {"update.epochs": [1, 2]}, "seeds": [3, 4], "engine": "ray", "jobs": 2},
        {**base, "search": {"space": space}, "engine": {"name": "slurm", "hours": 2}},
    ):
        assert valid(right), right
    for wrong in (
        {**base, "seeds": 0},
        {**base, "engine": "kubernetes"},
        {**base, "vary": {"update.epochs": 3}},
        {**base, "set": {"a..b": 1}},
        {**base, "search": {"space": {"update.epochs": {"lgo": [1, 2]}}}},
        {**base, "algorithm": "ppo"},
    ):
        assert not valid(wrong), wrong
    keys = json_schema()["definitions"]["keys"]["enum"]
    assert {"optimizer.actor.lr", "ppo.kl.beta", "env.id"} <= {*keys}
    names = json_schema()["$defs"]["ExperimentSpec"]["properties"]["set"]["propertyNames"]
    assert {"$ref": "#/definitions/keys"} in names["anyOf"]


def test_every_property_says_what_it_is():
    schema = json_schema()
    for name, section in schema["$defs"].items():
        for key, entry in section["properties"].items():
            described = "description" in entry or "$ref" in entry
            assert described, f"{name}.{key} has no description"


def test_the_problem_matcher_of_the_documentation_finds_every_place(tmp_path):
    """VS Code reads what `ppoc check` prints with the two patterns in docs/editor.md."""
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "editor.md").read_text(), re.DOTALL)
    (matcher,) = [task["problemMatcher"] for block in blocks for task in tasks(block)]
    first, second = (re.compile(pattern["regexp"]) for pattern in matcher["pattern"])
    (tmp_path / "base.yaml").write_text("ppoc: 1\nalgorithm: ppo\nenv: {id: X}\nupdat: 1\n")
    spec = tmp_path / "spec.yaml"
    spec.write_text("extends: base.yaml\ntraining: {total_steps: x}\n")
    report = check(spec, probe=False)
    lines = render(report.found).split("\n")
    heads = [first.match(line) for line in lines]
    places = [second.match(below) for head, below in zip(heads, lines[1:], strict=False) if head]
    found = [(Path(m[1]).name, int(m[2]), int(m[3])) for m in places]
    assert found == [("base.yaml", 4, 1), ("spec.yaml", 2, 25)]
    assert [(head[1], head[2]) for head in heads if head] == [("error", "E010"), ("error", "E011")]


def tasks(block):
    return json.loads(block).get("tasks", [])
