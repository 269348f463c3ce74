"""Every spec of the zoo, said in English and drafted again, means the same."""

import pytest
from conftest import ZOO, zoo_names

from ppoc.compiler.difference import differences
from ppoc.compiler.probe import list_environments
from ppoc.compiler.resolve import resolve
from ppoc.draft.compose import compose
from ppoc.draft.describe import WITHOUT_WORDS, describe
from ppoc.draft.reader import read


@pytest.mark.parametrize("name", zoo_names())
def test_description_drafts_to_the_same_spec(name):
    spec = resolve(ZOO / f"{name}.yaml")
    if spec.spec.env.id not in list_environments():
        pytest.skip(f"{spec.spec.env.id} is not installed")
    text, unsaid = describe(spec)
    draft = compose(read(text))
    assert all(path.startswith(WITHOUT_WORDS) for path in unsaid)
    assert {row.path for row in differences(spec, draft.resolved)} <= set(unsaid)
    assert draft.resolved.spec.algorithm == spec.spec.algorithm
    assert [note.text for note in draft.notes] == []


def test_what_has_no_words_is_said(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text("ppoc: 1\nalgorithm: ppo\nenv: {id: Hopper-v5, options: {frame_skip: 2}}\n")
    assert "env.options.frame_skip" in describe(resolve(path))[1]
