"""Faults of data files: each at its line and column, with what was expected."""

import hashlib
import json

import pytest

from ppoc.compiler.batch import check
from ppoc.compiler.resolve import resolve
from ppoc.compiler.rlhf.data import Contents
from ppoc.compiler.rlhf.probe import probe

SPEC = """\
ppoc: 1
kind: rlhf
stages: [{stage}]
model: {{id: gpt2{more}}}
data: {{{key}: data.jsonl}}
reward: {{start: base}}
"""
KEYS = {"sft": "demonstrations", "reward": "preferences"}
GOOD = {
    "sft": ['{"prompt": "a", "response": "b"}', '{"prompt": "c", "response": "d"}'],
    "reward": ['{"prompt": "a", "chosen": "b", "rejected": "c"}', '{"prompt": "d", "ranking": '
               '["b", "c", ""]}'.replace('""', '"x"')],
}  # fmt: skip


def found_in(tmp_path, stage, lines, more=""):
    """The findings of `ppoc check`, the bytes of the data file being given by line."""
    data = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    (tmp_path / "data.jsonl").write_bytes(data)
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.format(stage=stage, key=KEYS[stage], more=more))
    return check(path).found


@pytest.mark.parametrize(
    ("stage", "line", "code", "column", "message", "help"),
    [
        ("sft", "{'prompt': 1}", "E411", 2, "not JSON", "one object a line"),
        ("sft", '{"prompt": "a", "response": "b"', "E411", 31, "not JSON", "one object"),
        ("sft", '{"prompt": "a"} {"x": 1}', "E411", 17, "something follows", "one object"),
        ("sft", '["a", "b"]', "E411", 1, "a line is a list", '{"prompt"'),
        ("sft", "null", "E411", 1, "a line is null", '{"prompt"'),
        ("sft", '{"prompt": "a", "answer": "b"}', "E411", 1, "`response` is", "`answer`"),
        ("sft", "{}", "E411", 1, "`prompt` is missing", "nothing"),
        ("sft", '{"prompt": "a",  "response": 7}', "E411", 30, "is a number", "a string"),
        ("sft", '{"prompt": null, "response": "b"}', "E411", 12, "is null", "a string"),
        ("sft", '{"prompt": "a", "response": ""}', "E411", 29, "is empty", "drop the line"),
        ("sft", r'{"prompt": "\ud800", "response": "b"}', "E411", 12, "surrogate", "character"),
        ("sft", '{"prompt": "a", "prompt": "b"}', "E411", 17, "given twice", "keep one"),
        ("sft", b'{"prompt": "caf\xe9", "response": "b"}', "E411", 16, "0xe9 is not", "UTF-8"),
        ("sft", "[" * 100_000, "E411", 1, "too deeply", "flat"),
        ("sft", '{"prompt": ' + "9" * 5000 + "}", "E411", 1, "digits", "flat"),
        ("reward", '{"prompt": "a", "chosen": "b"}', "E411", 1, "`rejected` is", "`chosen`"),
        ("reward", '{"prompt": "a", "ranking": "b"}', "E411", 28, "is a string", "two or more"),
        ("reward", '{"prompt": "a", "ranking": ["b"]}', "E411", 28, "a list of 1", "two or more"),
        ("reward", '{"prompt": "a", "ranking": ["b", 1]}', "E411", 28, "ranking[1]", "a string"),
        (
            "reward", '{"prompt": "a", "ranking": ["b", "c"], "chosen": "b"}', "E411", 50,
            "both `ranking` and `chosen`", "one of the two",
        ),
        ("reward", '{"prompt": "a", "ranking": ["b", "c", "b"]}', "E412", 28, "twice", "drop one"),
        ("reward", '{"prompt": "a", "chosen": "b", "rejected": "b"}', "E412", 44, "same", "drop"),
    ],
)  # fmt: skip
def test_each_fault_has_its_place(tmp_path, stage, line, code, column, message, help):
    (found,) = found_in(tmp_path, stage, [GOOD[stage][0], "", line, GOOD[stage][1]])
    assert (found.code, found.span.line, found.span.column) == (code, 3, column)
    assert message in found.message
    assert help in found.help
    assert found.span.source.endswith("data.jsonl")


def test_good_files_have_facts(tmp_path):
    lines = [
        "\ufeff" + GOOD["sft"][0],
        "",
        GOOD["sft"][1] + "\r",
        '{"prompt": "äö", "response": "é!"}',
    ]
    assert found_in(tmp_path, "sft", lines) == []
    facts = probe(resolve(tmp_path / "spec.yaml"))[0].files["demonstrations"]
    digest = hashlib.sha256((tmp_path / "data.jsonl").read_bytes()).hexdigest()
    assert facts == Contents(tmp_path / "data.jsonl", digest, 3, 3, 4, 3)
    assert found_in(tmp_path, "reward", GOOD["reward"]) == []


def test_many_faults_are_told_by_the_first_ones(tmp_path):
    found = found_in(tmp_path, "sft", ["x"] * 25)
    assert [d.code for d in found] == ["E411"] * 11
    assert "15 more lines of data.jsonl" in next(d.message for d in found if "more" in d.message)


@pytest.mark.parametrize(
    ("overlong", "codes"), [("error", ["E413", "E413"]), ("drop", []), ("truncate", [])]
)
def test_tokens_of_bytes_are_counted(tmp_path, overlong, codes):
    """A response of n bytes has n + 1 tokens, its end among them."""
    rows = [("é" * 4, "x" * 7), ("x" * 9, "x"), ("x", "x" * 8), ("y", "y")]
    lines = [json.dumps({"prompt": p, "response": r}) for p, r in rows]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    spec = tmp_path / "spec.yaml"
    limits = f"data.jsonl, max_prompt_tokens: 8, max_response_tokens: 8, overlong: {overlong}"
    text = SPEC.format(stage="sft", key="demonstrations", more=", tokenizer: byte")
    spec.write_text(text.replace("data.jsonl", limits))
    found = check(spec).found
    assert [d.code for d in found] == codes
    assert [d.span.line for d in found] == [2, 3][: len(codes)]
    if overlong == "drop":
        facts = probe(resolve(spec))[0].files["demonstrations"]
        assert facts.examples == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [([], "nothing to learn"), (["", " "], "nothing to learn"), (GOOD["sft"][:1], "one prompt")],
)
def test_too_few_examples(tmp_path, lines, words):
    (found,) = found_in(tmp_path, "sft", lines)
    assert found.code == "E414"
    assert words in found.message


def test_files_that_cannot_be_read(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(stage="sft", key="demonstrations", more=""))
    for make in (lambda path: None, lambda path: path.mkdir()):
        make(tmp_path / "data.jsonl")
        (found,) = check(spec).found
        assert (found.code, found.span.line) == ("E410", 5)
    assert check(spec, probe=False).found == []


def test_only_the_files_of_the_stages_are_read(tmp_path):
    text = SPEC.format(stage="ppo", key="prompts", more="")
    text += "start: {policy: base, reward: gone}\n"
    (tmp_path / "spec.yaml").write_text(
        text.replace("data.jsonl", "p.jsonl, preferences: no.jsonl")
    )
    (tmp_path / "p.jsonl").write_text('{"prompt": "a"}\n{"prompt": "", "more": 1}\n')
    found = check(tmp_path / "spec.yaml").found
    assert [d.code for d in found] == ["E416"]
