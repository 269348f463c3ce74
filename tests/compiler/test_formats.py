"""Reports for editors and CI: SARIF 2.1.0's essentials, GitHub's escapes, JSON rows."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest

from ppoc.compiler.batch import Report, check
from ppoc.compiler.formats import as_github, as_json, as_sarif
from ppoc.compiler.front.diagnostics import Diagnostic, Span

HEAD = "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n"

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}


def closed(required, **properties):
    """An object with these properties and no others; `required` are the first so many."""
    names = list(properties)
    return {
        "type": "object",
        "required": names[:required],
        "properties": properties,
        "additionalProperties": False,
    }


# Sections 3.13 to 3.52 of the standard, as far as ppoc writes them: what must be there, what may.
NUMBER, LEVEL = {"type": "integer", "minimum": 1}, {"enum": ["error", "warning"]}
REGION = closed(3, startLine=NUMBER, startColumn=NUMBER, endColumn=NUMBER)
ARTIFACT = closed(
    1, uri={"type": "string", "pattern": r"^[\w.~!$&'()*+,;=@%:/-]+$"}, uriBaseId={"type": "string"}
)
PLACE = closed(1, physicalLocation=closed(1, artifactLocation=ARTIFACT, region=REGION))
RULE = closed(
    4,
    id={"pattern": "^[EW][0-9]{3}$"},
    shortDescription=TEXT,
    help={**TEXT, "required": ["text", "markdown"]},
    defaultConfiguration=closed(1, level=LEVEL),
)
RESULT = closed(
    5,
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level=LEVEL,
    message=TEXT,
    locations={"type": "array", "items": PLACE, "minItems": 1},
)
DRIVER = closed(
    3,
    name={"const": "ppoc"},
    version={"type": "string"},
    rules={"type": "array", "items": RULE, "uniqueItems": True},
)
RUN = closed(
    3,
    tool=closed(1, driver=DRIVER),
    columnKind={"const": "unicodeCodePoints"},
    results={"type": "array", "items": RESULT},
)
SARIF = closed(
    3,
    **{"$schema": {"type": "string"}},
    version={"const": "2.1.0"},
    runs={"type": "array", "items": RUN, "minItems": 1},
)


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """Reports on a folder whose name needs escapes: a base, a flag, a file that is not there."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a b,c%"
    folder.mkdir()
    (folder / "base.yaml").write_text(HEAD + "update: {epochs: 0}\n")
    (folder / "spec.yaml").write_text("extends: base.yaml\nname: ε ε\nadvantage: {lambda: 1}\n")
    (folder / "good.yaml").write_text(HEAD + "advantage: {lambda: 1}\n")
    paths = [folder.relative_to(tmp_path) / name for name in ("spec.yaml", "good.yaml", "no.yaml")]
    flags = ["training.seed=a%0A::b,c"]
    return [*(check(path, probe=False) for path in paths), check(folder / "good.yaml", flags)]


def test_sarif_has_what_the_standard_asks_for(reports):
    log = json.loads(as_sarif(reports))
    jsonschema.validate(log, SARIF)
    run = log["runs"][0]
    rules, results = run["tool"]["driver"]["rules"], run["results"]
    assert [rules[r["ruleIndex"]]["id"] for r in results] == [r["ruleId"] for r in results]
    assert [r["ruleId"] for r in results] == ["E012", "E012", "W204", "E001", "E011"]
    places = [r["locations"][0]["physicalLocation"] for r in results]
    uris = [place["artifactLocation"]["uri"] for place in places]
    assert unquote(uris[0]) == "a b,c%/base.yaml"
    assert places[1]["region"] == {"startLine": 2, "startColumn": 7, "endColumn": 10}
    assert "region" not in places[3]
    assert uris[4].startswith("file:///")
    assert "uriBaseId" not in places[4]["artifactLocation"]
    assert "(extended by spec.yaml:1)" in results[0]["message"]["text"]
    assert "(-s training.seed=a%0A::b,c)" in results[4]["message"]["text"]
    assert rules[0]["help"]["markdown"].startswith("# E001: ")
    assert {r["level"] for r in results if r["ruleId"] == "W204"} == {"warning"}


def test_sarif_of_nothing_is_a_run_without_results():
    log = json.loads(as_sarif([]))
    jsonschema.validate(log, SARIF)
    assert log["runs"][0]["results"] == []


COMMAND = re.compile(r"::(error|warning) ((?:\w+=[^,:]*,?)+)::(.*)")


def unescaped(text):
    """GitHub's reading of a workflow command's text (actions/toolkit, command.ts, reversed)."""
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_github_commands_are_a_line_each_and_read_back(reports):
    lines = as_github(reports).split("\n")
    matches = [COMMAND.fullmatch(line) for line in lines]
    assert all(matches)
    read = [
        {key: unescaped(value) for key, value in (pair.split("=", 1) for pair in m[2].split(","))}
        for m in matches
    ]
    assert read[0] == {
        "file": "a b,c%/base.yaml",
        "line": "4",
        "col": "18",
        "endColumn": "19",
        "title": "E012: value out of range",
    }
    assert "line" not in read[3]
    assert [m[1] for m in matches] == ["error", "error", "warning", "error", "error"]
    assert "a%250A::b,c" in lines[4]
    assert unescaped(matches[0][3]).split("\n")[1] == "help: it must be at least 1"


def test_nothing_that_a_spec_says_starts_a_command():
    span = Span("x\n::error::y.yaml", 1, 1, 2, "")
    hostile = Diagnostic("E010", "a\n::error::b\r\x1b[31m", span, why="c\n::set-env::d")
    text = as_github([Report(Path("spec.yaml"), [hostile])])
    assert "\n" not in text
    assert "\r" not in text
    assert text.isprintable()


def test_json_has_a_row_for_each(reports):
    rows = json.loads(as_json(reports))
    assert [row["code"] for row in rows] == ["E012", "E012", "W204", "E001", "E011"]
    assert rows[0]["spec"].endswith("spec.yaml")
    assert rows[0]["source"].endswith("base.yaml")
    assert (rows[0]["via"], rows[0]["line"]) == ("extended by spec.yaml:1", 4)
    assert rows[3]["line"] is None
    assert rows[3]["spec"].endswith("no.yaml")
