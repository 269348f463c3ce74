"""Edits of experiments change the places that they are about, and nothing else."""

from pathlib import Path

import pytest

from ppoc.compiler.resolve import resolve_text
from ppoc.draft.edit import edit, remove_value, set_value
from ppoc.draft.engines import read_offline
from ppoc.draft.experiment.fields import steps
from ppoc.draft.spec.drafts import NothingToDraftError
from ppoc.draft.spec.paths import values_of

SPEC = """\
# Mine.
ppoc: 1
kind: experiment
name: a
base: ppo/hopper  # the zoo's
set: {training.total_steps: 1_000_000}
variants:
  plain: {}   # as it is
  entropy: {losses.entropy.beta: 0.01}
  trpo: {base: trpo/halfcheetah, env.id: Hopper-v5}
seeds: 5  # few
compare: {baseline: plain}
# the end
"""
INLINE = """\
ppoc: 1
kind: experiment
name: a
base:
  ppoc: 1
  algorithm: ppo
  env: {id: CartPole-v1}
vary:
  optimizer.actor.lr: [1e-4, 3e-4]
tasks: [CartPole-v1, Acrobot-v1]
seeds: [3, 5]
"""


def edited(text, request):
    known = values_of(resolve_text(text, "experiment.yaml"))
    return edit(text, Path("experiment.yaml"), read_offline(request, known))


@pytest.mark.parametrize(
    ("request_", "before", "after"),
    [
        (
            "add a variant with GAE lambda 0.9",
            "seeds: 5",
            "  lambda-0.9: {advantage.lambda: 0.9}\nseeds: 5",
        ),
        (
            "add a variant called low with lr 1e-4",
            "seeds: 5",
            "  low: {optimizer.actor.lr: 0.0001}\nseeds: 5",
        ),
        ("add A2C", "seeds: 5", "  a2c: {algorithm: a2c}\nseeds: 5"),
        ("use 10 seeds", "seeds: 5", "seeds: 10"),
        ("two more seeds", "seeds: 5", "seeds: 7"),
        ("add seed 7", "seeds: 5", "seeds: [1, 2, 3, 4, 5, 7]"),
        ("drop the trpo variant", "  trpo: {base: trpo/halfcheetah, env.id: Hopper-v5}\n", ""),
        ("two million steps", "1_000_000", "2_000_000"),
        ("compare with 99% confidence", "{baseline: plain}", "{baseline: plain, confidence: 0.99}"),
        ("the baseline is entropy", "{baseline: plain}", "{baseline: entropy}"),
        ("double the learning rate", "1_000_000}", "1_000_000, optimizer.actor.lr: 0.0006}"),
        ("in the entropy variant, an entropy bonus of 0.02", "beta: 0.01", "beta: 0.02"),
        ("at most 40 runs", "# the end", "budget: {runs: 40}\n# the end"),
    ],
)
def test_an_edit_changes_its_own_place(request_, before, after):
    done = edited(SPEC, request_)
    wanted = SPEC.replace(before, after)
    added = "# the end" in before
    assert done.text == (wanted if not added else _moved(wanted))
    assert done.notes == []


def _moved(text):
    """An addition comes after the last section, before a comment at the end or behind it."""
    new, end = text.splitlines()[-2:]
    assert end == "# the end"
    lines = text.splitlines()[:-2]
    return "\n".join([*lines, new, end]) + "\n"


@pytest.mark.parametrize(
    ("request_", "before", "after"),
    [
        (
            "half a million steps",
            "  env: {id: CartPole-v1}\n",
            "  env: {id: CartPole-v1}\n  training: {total_steps: 500_000}\n",
        ),
        ("lr 1e-3, 1e-4 and 1e-5", "[1e-4, 3e-4]", "[0.001, 0.0001, 1e-5]"),
        ("also on Pendulum", "Acrobot-v1]", "Acrobot-v1, Pendulum-v1]"),
        ("drop Acrobot", "[CartPole-v1, Acrobot-v1]", "[CartPole-v1]"),
        ("add seeds 8 and 9", "[3, 5]", "[3, 5, 8, 9]"),
        ("three more seeds", "[3, 5]", "[3, 5, 1, 2, 4]"),
    ],
)
def test_an_edit_of_an_inline_base(request_, before, after):
    assert edited(INLINE, request_).text == INLINE.replace(before, after)


def test_a_variant_beside_none_leaves_the_base_as_it_is_too():
    spec = edited(INLINE, "add a variant with clip 0.1").resolved.spec
    assert spec.variants == {"plain": {}, "epsilon-0.1": {"losses": {"policy": {"epsilon": 0.1}}}}


def test_what_cannot_be_changed_is_told():
    done = edited(INLINE, "clip 0.1 and lr 1e-3, 30 trials")
    assert done.resolved.spec.base["losses"] == {"policy": {"epsilon": 0.1}}
    told = {note.words: note.text for note in done.notes}
    assert "several values in `vary`" in told["lr 1e-3"]
    assert "searches for nothing" in told["30 trials"]
    with pytest.raises(NothingToDraftError):
        edited(SPEC, "make it nicer")


def test_an_edit_that_the_compiler_refuses_is_left_out():
    done = edited(SPEC, "add a variant called bare with no critic; 3 seeds")
    assert done.resolved.spec.seeds == 3
    assert "bare" not in done.resolved.spec.variants
    assert any("GAE needs a critic" in note.text for note in done.notes)


def test_a_baseline_that_is_dropped_is_none_any_more():
    done = edited(SPEC, "drop the plain variant")
    assert list(done.resolved.spec.variants) == ["entropy", "trpo"]
    assert done.resolved.spec.compare.baseline is None
    assert [note.kind for note in done.notes] == ["adapted"]


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("a: {b: 1, c: 2}\n", "a.b", "a: {c: 2}\n"),
        ("a: {b: 1, c: 2}\n", "a.c", "a: {b: 1}\n"),
        ("a: {b: 1}\n", "a.b", "a: {}\n"),
        ("a:\n  b: 1\n  c:\n    d: 2\n  e: 3\n", "a.c", "a:\n  b: 1\n  e: 3\n"),
        ("a:\n  b.c: 1 # this\n  d: 2\n", "a.b.c", "a:\n  d: 2\n"),
        ("a:\n  b: 1\nf: 2\n", "a.b", "a: {}\nf: 2\n"),
        ("a: 1\n", "b", "a: 1\n"),
    ],
)
def test_an_entry_is_removed_as_a_whole(text, path, after):
    assert remove_value(text, path) == after


def test_keys_of_several_steps_are_found_and_added():
    text = "vary: {optimizer.actor.lr: [1]}\nvariants:\n  v-0.1: {losses: {entropy: {beta: 1}}}\n"
    done = set_value(text, "vary.optimizer.actor.lr", [2], "", steps)
    assert "{optimizer.actor.lr: [2]}" in done
    done = set_value(text, "variants.v-0.1.losses.entropy.beta", 2, "", steps)
    assert "{losses: {entropy: {beta: 2}}}" in done
    done = set_value(text, "vary.update.epochs", [2], "", steps)
    assert "update.epochs: [2]}" in done
