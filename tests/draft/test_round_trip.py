"""Every spec of the zoo, said in English and drafted again, means the same."""

import pytest

from ppoc.compiler.agent.env.probe import package_of
from ppoc.compiler.difference import differences
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.draft.agent.reader import read
from ppoc.draft.compose import compose
from ppoc.draft.describe import describe
from zoo import ZOO, zoo_names


@pytest.mark.parametrize("name", zoo_names())
def test_description_drafts_to_the_same_spec(name):
    spec = resolve(ZOO / f"{name}.yaml")
    package = package_of(spec.spec.env.id)
    if package is not None:
        pytest.importorskip(package)
    text, unsaid = describe(spec)
    draft = compose(read(text))
    assert unsaid == []
    assert differences(spec, draft.resolved) == []
    assert draft.resolved.spec.algorithm == spec.spec.algorithm
    assert [note.text for note in draft.notes] == []


CONTINUOUS = "{id: Pendulum-v1, num_envs: 4}"
SPECS = {
    "gsde": f"env: {CONTINUOUS}\nnetworks: {{actor: {{std: gsde, resample_every: 4}}}}",
    "squashed": f"env: {CONTINUOUS}\nnetworks: {{actor: {{distribution: tanh-gaussian}}}}",
    "scaled": f"env: {CONTINUOUS}\nnetworks: {{actor: {{action_scaling: bounds}}}}",
    "unscaled": f"env: {CONTINUOUS}\nnetworks: {{actor: {{action_scaling: none}}}}",
    "beta": f"env: {CONTINUOUS}\nnetworks: {{actor: {{distribution: beta, init: xavier}}}}",
    "adamw": f"env: {CONTINUOUS}\noptimizer: {{actor: {{kind: adamw, weight_decay: 0.01}}}}",
    "sgd": f"env: {CONTINUOUS}\noptimizer: {{actor: {{kind: sgd, momentum: 0.9, lr: 0.01}}}}",
    "rmsprop": f"env: {CONTINUOUS}\noptimizer: {{actor: {{kind: rmsprop, decay: 0.95}}}}",
    "cosine": f"env: {CONTINUOUS}\noptimizer: {{actor: {{schedule: cosine}}}}\n"
    "losses: {policy: {schedule: cosine}}",
    "points": f"env: {CONTINUOUS}\noptimizer: {{actor: {{schedule: [[0, 0.1], [0.1, 1], [1, 0]]}}, "
    "critic: {schedule: linear}}\nlosses: {policy: {schedule: [[0, 1], [1, 0.25]]}}",
    "points of the critic": f"env: {CONTINUOUS}\noptimizer: {{actor: {{lr: 1e-4}}, critic: "
    "{lr: 1e-3, schedule: [[0, 1], [0.5, 0.1234567], [1, 0]]}}",
    "adaptive": f"env: {CONTINUOUS}\noptimizer: {{actor: {{schedule: adaptive, kl_target: 0.02}}}}",
    "weights": f"env: {CONTINUOUS}\nlosses: {{value: {{schedule: cosine}}, entropy: "
    "{beta: 0.01, schedule: [[0, 1], [0.5, 0]]}}",
    "gru": "env: {id: CartPole-v1}\nnetworks: {actor: {memory: {kind: gru, size: 32}}, "
    "critic: {share: body, layers: [32]}}",
    "skips": "env: {id: CartPole-v1, frame_skip: 2, frame_stack: 3}",
    "images": "env: {id: CarRacing-v3, grayscale: true, resize: [64, 48]}\nnetworks: "
    "{actor: {body: impala-cnn, features: 128, init: kaiming}, critic: {share: body}}",
    "game": "env: {id: BreakoutNoFrameskip-v4, atari: {frame_skip: 2, screen_size: 64, "
    "grayscale: false, clip_rewards: false, episodic_life: false, noop_max: 10}}\n"
    "networks: {actor: {body: impala-cnn}, critic: {body: impala-cnn}}",
    "raw game": "env: {id: PongNoFrameskip-v4}\nnetworks: {actor: {body: nature-cnn}, "
    "critic: {share: body}}",
}


@pytest.mark.parametrize("name", SPECS)
def test_words_of_the_whole_language_are_read_again(name):
    if "game" in name:
        pytest.importorskip("ale_py")
    if name == "images":
        pytest.importorskip("Box2D")
    spec = resolve_text(f"ppoc: 1\nalgorithm: ppo\nname: a\n{SPECS[name]}\n", "spec.yaml")
    text, unsaid = describe(spec)
    draft = compose(read(text))
    assert unsaid == []
    assert [row.path for row in differences(spec, draft.resolved) if row.path != "name"] == []
    assert draft.notes == []


def test_what_has_no_words_is_said(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text("ppoc: 1\nalgorithm: ppo\nenv: {id: Hopper-v5, options: {frame_skip: 2}}\n")
    assert "env.options.frame_skip" in describe(resolve(path))[1]
