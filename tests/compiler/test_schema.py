"""The JSON Schema agrees with the language about the zoo, and about mistakes."""

from pathlib import Path

import jsonschema
import pytest

from ppoc.compiler.schema import json_schema
from ppoc.compiler.source import parse

ROOT = Path(__file__).parents[2]
SPECS = [p for p in sorted((ROOT / "specs").glob("*/*.yaml")) if p.parent.name != "presets"]
GOOD = {"ppoc": 1, "algorithm": "ppo", "env": {"id": "CartPole-v1"}}


def valid(document):
    return jsonschema.Draft202012Validator(json_schema()).is_valid(document)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_zoo_is_valid(path):
    document = parse(path.read_text(encoding="utf-8"), path.name).plain()
    jsonschema.validate(document, json_schema())


def test_mistakes_are_not():
    assert valid(GOOD)
    assert valid({"extends": "base.yaml"})
    assert valid({**GOOD, "losses": {"policy": {"ε": 0.1}, "entropy": {"β": 0.01}}})
    for wrong in (
        {"ppoc": 1},
        {**GOOD, "epochs": 3},
        {**GOOD, "algorithm": "sac"},
        {**GOOD, "update": {"epochs": 0}},
        {**GOOD, "training": {"device": "gpu"}},
        {**GOOD, "lock": {"format": 1}},
        {"extends": "base.py"},
    ):
        assert not valid(wrong), wrong


def test_every_property_says_what_it_is():
    schema = json_schema()
    for name, section in {"spec": schema, **schema["$defs"]}.items():
        for key, entry in section["properties"].items():
            described = "description" in entry or "$ref" in entry
            assert described, f"{name}.{key} has no description"
