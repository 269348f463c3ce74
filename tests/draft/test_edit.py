"""Edits touch the values they are about and nothing else."""

from pathlib import Path

import pytest

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.agent.reader import read
from ppoc.draft.compose import compose
from ppoc.draft.edit import edit, set_value
from ppoc.draft.spec.drafts import NothingToDraftError
from ppoc.draft.spec.paths import values_of
from zoo import ZOO

SPEC = """\
# Mine.
ppoc: 1
algorithm: ppo
env: {id: CartPole-v1, num_envs: 8}  # small
losses:
  entropy:
    beta: 0.01   # not too much
  policy: {ε: 0.2}
training: {total_steps: 100_000}
# the end
"""


def edited(text, request):
    known = values_of(resolve_text(text, "spec.yaml"))
    return edit(text, Path("spec.yaml"), read(request, known))


def test_an_edit_replaces_a_value_and_keeps_the_comments():
    done = edited(SPEC, "double the entropy and use three seeds")
    assert done.text == SPEC.replace("beta: 0.01 ", "beta: 0.02 ")
    assert "+    beta: 0.02   # not too much" in done.diff("spec.yaml")
    assert [note.text for note in done.notes if note.kind == "run"] == [
        f"ppoc run SPEC --seed {seed}" for seed in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("request_", "path", "value"),
    [
        ("reduce the learning rate by half", "optimizer.actor.lr", 1.5e-4),
        ("increase the clip range by 50%", "losses.policy.epsilon", 0.3),
        ("divide the entropy by 10", "losses.entropy.beta", 1e-3),
        ("use 8 more environments", "env.num_envs", 16),
        ("train twice as long", "training.total_steps", 200_000),
        ("relu instead of tanh", "networks.actor.activation", "relu"),
        ("ten times smaller learning rate", "optimizer.actor.lr", 3e-5),
        ("same but on Pendulum", "env.id", "Pendulum-v1"),
    ],
)
def test_changes_start_from_the_present_value(request_, path, value):
    said = {v.path: v.value for v in edited(SPEC, request_).values}
    assert said[path] == value


def test_an_edit_adds_what_is_not_there():
    done = edited(SPEC, "critic three times the actor's rate, lambda 0.9, normalise observations")
    assert done.resolved.spec.optimizer.critic.lr == pytest.approx(9e-4)
    assert done.resolved.spec.advantage.lambda_ == 0.9
    assert done.resolved.spec.env.normalize.observations
    assert all(line in done.text for line in ("# Mine.", "# small", "# the end"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("env.num_envs", 4),
        ("env.normalize.rewards", True),
        ("losses.policy.epsilon", 0.3),
        ("losses.value.coefficient", 1.0),
        ("networks.critic", None),
        ("networks.actor.layers", [32, 32]),
        ("optimizer.actor.lr", 1e-5),
    ],
)
def test_a_value_is_set_wherever_it_stands(path, value):
    texts = [SPEC, SPEC.rstrip("\n"), SPEC.replace("\n", "\r\n")]
    texts += [p.read_text() for p in sorted(ZOO.glob("ppo/*.yaml"))]
    for text in texts:
        from ppoc.compiler.front.source import parse

        node = parse(set_value(text, path, value), "spec.yaml").plain()
        for step in path.split("."):
            node = node[step]
        assert node == value


def test_a_block_is_replaced_as_a_whole():
    text = "env:\n  id: X\nnetworks:\n  critic:\n    layers: [1]\n    init: default\nname: a\n"
    assert set_value(text, "networks.critic", None) == (
        "env:\n  id: X\nnetworks:\n  critic: null\nname: a\n"
    )


def test_a_drafts_own_comment_follows_its_value():
    text = compose(read("PPO on CartPole, a little entropy")).text
    done = edited(text, "double the entropy")
    assert '# "double the entropy": 2 × 0.01, the present value' in done.text
    assert "Table 5" not in done.text


def test_an_edit_that_the_compiler_refuses_is_left_out():
    done = edited(SPEC, "no critic, clip 0.1")
    assert done.resolved.spec.losses.policy.epsilon == 0.1
    assert any("GAE needs a critic" in note.text for note in done.notes)


def test_an_edit_of_nothing_and_an_edit_of_a_wrong_spec():
    with pytest.raises(NothingToDraftError):
        edited(SPEC, "make it nicer")
    with pytest.raises(SpecError):
        edited(SPEC.replace("algorithm: ppo", "algorithm: pop"), "clip 0.1")
