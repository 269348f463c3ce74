"""Faults of data files are told with their place."""

import json

import pytest

from ppoc.runtime.rlhf.data import (
    DataError,
    Place,
    Prompt,
    distinct,
    read_demonstrations,
    read_preferences,
    read_prompts,
    split,
)

GOOD = b'{"prompt": "a", "response": "b"}\n'
PAIR = '{{"prompt": "a", "chosen": {}, "rejected": {}}}'
FAULTS = {
    "missing field": (read_demonstrations, b'{"prompt": "a"}', ":2:1: there is no `response`"),
    "empty": (read_demonstrations, b'{"prompt": "a", "response": ""}', "`response` is empty"),
    "number": (read_demonstrations, b'{"prompt": "a", "response": 3}', "`response` is a number"),
    "not JSON": (read_demonstrations, b'{"prompt": "a", response: 3}', ":2:17: not JSON"),
    "not an object": (read_demonstrations, b"[1, 2]", "expected an object"),
    "not UTF-8": (read_demonstrations, b'{"prompt": "\xff"}', ":2:13: byte 0xff is not UTF-8"),
    "half a pair": (
        read_demonstrations, rb'{"prompt": "\ud800", "response": "b"}', "half a surrogate pair"
    ),
    "deep": (read_demonstrations, b"[" * 100_000, ":2:1: "),
    "same": (read_preferences, PAIR.format('"x"', '"x"').encode(), "are the same"),
    "one answer": (read_preferences, b'{"prompt": "a", "ranking": ["x"]}', "two or more"),
    "twice": (read_preferences, b'{"prompt": "a", "ranking": ["x", "y", "x"]}', "same answer"),
    "prompt": (read_prompts, b'{"text": "a"}', "there is no `prompt`; the line has `text`"),
}  # fmt: skip
FIRST = {
    read_demonstrations: GOOD,
    read_preferences: PAIR.format('"x"', '"y"').encode() + b"\n",
    read_prompts: GOOD,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_place(name, tmp_path):
    read, line, expected = FAULTS[name]
    path = tmp_path / "data.jsonl"
    path.write_bytes(FIRST[read] + line + b"\n")
    with pytest.raises(DataError) as caught:
        read(path)
    assert f"{path}:2:" in str(caught.value)
    assert expected in str(caught.value)


def test_no_file_and_an_empty_one(tmp_path):
    path = tmp_path / "data.jsonl"
    with pytest.raises(DataError, match="there is no such file"):
        read_prompts(path)
    path.write_text("\n\n")
    with pytest.raises(DataError, match="it has no line"):
        read_prompts(path)


def test_a_mark_of_byte_order_and_empty_lines_are_passed_over(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD + b"\n" + GOOD)
    assert [row.place.line for row in read_demonstrations(path)] == [1, 3]


def test_rankings_keep_their_order(tmp_path):
    path = tmp_path / "data.jsonl"
    rows = [
        {"prompt": "p", "ranking": ["c", "a", "b"]},
        {"prompt": "p", "chosen": "x", "rejected": "y"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [row.responses for row in read_preferences(path)] == [("c", "a", "b"), ("x", "y")]


def test_what_is_held_out_has_prompts_of_its_own():
    examples = [Prompt(f"{number % 40}", Place("f", number)) for number in range(200)]
    learn, kept = split(examples, 0.1, seed=1)
    assert {e.prompt for e in learn}.isdisjoint(e.prompt for e in kept)
    assert len({e.prompt for e in kept}) == 4
    assert sorted(learn + kept) == sorted(examples)
    shuffled = split(examples[::-1], 0.1, seed=1)[1]
    assert {e.prompt for e in shuffled} == {e.prompt for e in kept}
    assert {e.prompt for e in split(examples, 0.1, seed=2)[1]} != {e.prompt for e in kept}
    assert split(examples, 0.0, seed=1) == (examples, [])
    assert [e.place.line for e in distinct(examples)] == list(range(40))
