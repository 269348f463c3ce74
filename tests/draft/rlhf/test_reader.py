"""Requests for learning from human feedback: what is theirs, what is told, what is changed."""

from pathlib import Path

import pytest

from ppoc.draft.compose import compose
from ppoc.draft.edit import edit
from ppoc.draft.engines import read_offline
from ppoc.draft.rlhf.compose import missing_files
from ppoc.draft.spec.drafts import NothingToDraftError
from ppoc.draft.spec.paths import values_of


def values(request):
    return {claim.path: claim.value for claim in read_offline(request).claims}


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("RLHF on gpt2", "rlhf"),
        ("fine-tune gpt2 on chat.jsonl", "rlhf"),
        ("a reward model from prefs.jsonl", "rlhf"),
        ("PPO on CartPole with a KL penalty of 0.1", "control"),
        ("train PPO on Hopper, then fine-tune the learning rate", "control"),
        ("PPO with an adaptive KL penalty on Walker2d, target 0.01", "control"),
        ("reward normalisation and PPO on Ant", "control"),
    ],
)
def test_the_kind_of_spec_is_what_the_request_is_about(request_, kind):
    assert read_offline(request_).kind == kind


def test_every_value_has_its_words():
    draft = compose(read_offline("RLHF on gpt2 with KL 0.1 and 3 epochs of SFT"))
    said = {v.path: v.words for v in draft.values if v.origin == "request"}
    assert said == {"model.id": "gpt2", "ppo.kl.beta": "KL 0.1", "sft.epochs": "3 epochs"}
    assert '    beta: 0.1                      # "KL 0.1"\n' in draft.text


def test_nothing_is_dropped_in_silence():
    reading = read_offline("RLHF on gpt2 with DPO, 17 widgets, KL 0.1, then KL 0.2")
    told = {note.words: note.kind for note in reading.notes}
    assert told == {"DPO": "cannot", "17": "question", "KL 0.1": "question"}
    with pytest.raises(NothingToDraftError):
        compose(read_offline("a language model, please"))


def test_numbers_that_do_not_fit_are_moved_and_told():
    draft = compose(read_offline("RLHF on gpt2, rollouts of 100 responses, minibatches of 32"))
    assert draft.resolved.spec.ppo.minibatch_size == 25
    assert [note.kind for note in draft.notes] == ["adapted"]
    text = "RLHF from scratch with 2 layers, prompts of at most 200 tokens, 100 new tokens"
    assert compose(read_offline(text)).resolved.spec.model.config.context == 300


def test_what_the_language_refuses_is_left_out_and_told():
    draft = compose(read_offline("RLHF on gpt2, temperature -1, seed 3"))
    assert draft.resolved.spec.training.seed == 3
    assert [(note.kind, note.words) for note in draft.notes] == [("cannot", "temperature -1")]
    draft = compose(read_offline("RLHF on gpt2 with no KL penalty but an adaptive KL target of 6"))
    assert "cannot" in {note.kind for note in draft.notes}


def test_files_that_are_not_there_are_a_note(tmp_path):
    draft = compose(read_offline("SFT of gpt2 on demos.jsonl"))
    (note,) = missing_files(draft.resolved, tmp_path)
    assert str(tmp_path / "demos.jsonl") in note.text
    (tmp_path / "demos.jsonl").write_text("{}")
    assert missing_files(draft.resolved, tmp_path) == []


def test_hostile_text_is_data():
    for text in ("__import__('os').jsonl", "{{ 7 * 7 }}", "x\nlock: {format: 1}", "#\n- a: &b"):
        draft = compose(read_offline(f"RLHF on gpt2 with demonstrations in {text}, seed 4"))
        spec = draft.resolved.spec
        assert (spec.training.seed, spec.lock) == (4, None)


BEFORE = """\
# mine
ppoc: 1
kind: rlhf
model: {id: gpt2}  # small
data: {demonstrations: d.jsonl, preferences: p.jsonl}
ppo: {kl: {beta: 0.1}}
"""


def edited(request):
    known = values_of(compose(read_offline("RLHF on gpt2 with KL 0.1")).resolved)
    return edit(BEFORE, Path("spec.yaml"), read_offline(request, known)).text


def test_a_spec_is_edited_in_place():
    assert edited("double the KL penalty") == BEFORE.replace("0.1}", "0.2}")
    assert edited("KL 0.05 and seed 3") == BEFORE.replace("0.1}", "0.05}") + "training: {seed: 3}\n"
    changed = edited("3 more new tokens? no: 48 new tokens, 2 epochs of SFT, LoRA rank 4")
    assert "sft: {epochs: 2}" in changed
    assert "model: {id: gpt2, lora: {rank: 4}}  # small" in changed


def test_a_request_means_what_it_says():
    found = values("SFT: 2 epochs at 1e-4. Reward model: lr 1e-5. PPO: lr 1e-6, critic lr 1e-5")
    assert found == {
        "sft.epochs": 2,
        "sft.optimizer.lr": 1e-4,
        "reward.optimizer.lr": 1e-5,
        "ppo.optimizer.lr": 1e-6,
        "ppo.value_optimizer.lr": 1e-5,
    }
