"""Files of tokenizers that anybody may have made end in a tokenizer or in one message."""

import json
import os

import pytest

from ppoc.runtime import rlhf
from ppoc.runtime.errors import RunError
from ppoc.runtime.rlhf.stage import load_tokenizer
from ppoc.runtime.rlhf.tokenizers import Tokenizer, save_tokenizer

pytest.importorskip("transformers")


@pytest.fixture
def root(tmp_path):
    """A run folder with its tokenizer."""
    save_tokenizer(rlhf.byte_tokenizer(), tmp_path / "tokenizer")
    assert load_tokenizer(tmp_path).response("hi")[-1] == load_tokenizer(tmp_path).end
    return tmp_path


def with_json(name, *path, value):
    def change(folder):
        document = json.loads((folder / name).read_text())
        inner = document
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        (folder / name).write_text(json.dumps(document))

    return change


def pipe(folder):
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")


def sparse(folder):
    os.truncate(folder / "tokenizer_config.json", 2**40)


CHANGES = {
    "a pipe": pipe,
    "sparse": sparse,
    "not JSON": lambda folder: (folder / "tokenizer.json").write_text("{"),
    "no model": with_json("tokenizer.json", "model", value=None),
    "another vocabulary": with_json("tokenizer.json", "model", "vocab", value=["x"]),
    "a token far away": with_json("tokenizer.json", "model", "vocab", "a", value=10**9),
    "odd tokens": with_json("tokenizer.json", "added_tokens", value=[{"id": "x"}]),
    "an odd class": with_json("tokenizer_config.json", "tokenizer_class", value=[]),
    "no end of text": with_json("tokenizer_config.json", "eos_token", value=None),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_files_that_are_no_tokenizer_are_refused_in_one_message(root, kind):
    CHANGES[kind](root / "tokenizer")
    with pytest.raises(RunError) as error:
        load_tokenizer(root)
    assert "tokenizer" in str(error.value)
    assert "\n" not in str(error.value)


class Failing:
    """A library's tokenizer from files that say nonsense: it fails once it is asked."""

    eos_token_id, pad_token_id = 0, None

    def __len__(self):
        return 1

    def get_vocab(self):
        return {"x": 0}

    def __call__(self, *arguments, **settings):
        raise Exception("no [UNK]\nof a library in Rust")

    decode = __call__


def test_a_tokenizer_that_fails_on_a_text_says_so():
    tokenizer = Tokenizer(Failing())
    for call in (tokenizer.prompt, tokenizer.response, lambda text: tokenizer.text([1])):
        with pytest.raises(
            RunError, match=r"the tokenizer cannot (read|write) a text: no \[UNK\]$"
        ):
            call("x")
