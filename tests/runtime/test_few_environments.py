"""Simulators of which only one can run: no more are open than the spec allows."""

import json
from dataclasses import replace

import pytest

import crashes
import toys
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.exporting import formats, hub
from ppoc.runtime.errors import RunError
from ppoc.runtime.run.launch import execute, load_module
from ppoc.runtime.run.trained import evaluate_run

SPEC = """\
ppoc: 1
algorithm: {algorithm}
name: solitary
env: {{id: {env_id}, num_envs: 1}}
training: {{total_steps: 384, checkpoint_every: 192, compile: never}}
update: {{rollout_steps: 64}}
"""
EVALUATION = "evaluation={episodes: 3, every: 128}"
OTHERS = {
    "rollout": ("ppo", "update.minibatch_size=32"),
    "memory": (
        "ppo",
        "update.minibatch_size=32",
        "networks.actor={memory: {kind: gru, size: 4}, layers: [4]}",
    ),
    "episodes": ("reinforce",),
}


@pytest.fixture(autouse=True)
def none_open(monkeypatch):
    monkeypatch.setattr(toys.Solitary, "is_open", False)
    monkeypatch.setattr(toys.Solitary, "opened", 0)


def compiled(*overrides, algorithm="ppo", env_id="Solitary-v0"):
    text = SPEC.format(algorithm=algorithm, env_id=env_id)
    return compile_spec(resolve_text(text, "spec.yaml", overrides))


def run_of(folder, *overrides, **choice):
    compiled(*overrides, **choice).write(folder)
    toys.Solitary.opened = 0
    module = load_module(folder / "module.py")
    return module, execute(module, folder, device="cpu", mode="quiet")


@pytest.mark.parametrize("name", OTHERS)
def test_one_environment_is_never_joined_by_another(tmp_path, name):
    algorithm, *overrides = OTHERS[name]
    module, result = run_of(tmp_path, EVALUATION, *overrides, algorithm=algorithm)
    assert toys.Solitary.opened == 2  # for training and evaluations on the way, for the last one
    assert not toys.Solitary.is_open
    rows = [json.loads(line) for line in (tmp_path / "evaluations.jsonl").open()]
    assert [row["steps"] for row in rows] == [128, 256, 384]
    assert rows[-1] == {"format": 1, "steps": 384, **result.evaluation._asdict()}
    assert evaluate_run(module, tmp_path) == result.evaluation
    formats.export(module, tmp_path, "torchscript", tmp_path / "policy.pt")
    assert not toys.Solitary.is_open


@pytest.mark.parametrize("name", ["rollout", "memory"])
def test_a_run_that_shares_its_environments_is_resumed_as_it_was(tmp_path, name):
    """Killed anywhere, also between an evaluation and the next reset of the schedule."""
    algorithm, *overrides = OTHERS[name]
    overrides += ["training.checkpoint_every=384", "env.id=CartPole-v1", EVALUATION]
    compiled(*overrides, algorithm=algorithm).write(tmp_path)
    module = tmp_path / "module.py"
    assert crashes.finish(module, tmp_path / "whole") == 0
    folder = tmp_path / "run"
    for iterations in (2, 1):
        assert crashes.finish(module, folder, resume=folder.exists(), stop_at=iterations) == 0
    assert crashes.finish(module, folder, resume=True) == 0
    assert crashes.ending(folder) == crashes.ending(tmp_path / "whole")


def test_environments_beside_each_other_are_named_where_they_fail(tmp_path):
    with pytest.raises(RunError, match=r"the port is in use.*\n.*share_envs: always"):
        run_of(tmp_path, EVALUATION, "evaluation.share_envs=never", "update.minibatch_size=32")
    assert not toys.Solitary.is_open  # closed, though the run failed


def test_a_failure_is_told_before_that_of_closing(tmp_path, monkeypatch):
    def lost(*arguments):
        raise ConnectionError("the simulator is gone")

    def refuse(self):
        raise BrokenPipeError("nothing to close")

    compiled("update.minibatch_size=32").write(tmp_path)
    monkeypatch.setattr(toys.Solitary, "step", lost)
    monkeypatch.setattr(toys.Solitary, "close", refuse)
    with pytest.raises(RunError, match="failed to step: ConnectionError: the simulator is gone"):
        execute(load_module(tmp_path / "module.py"), tmp_path, device="cpu", mode="quiet")


def test_environments_are_shared_on_demand():
    shared = "run.evaluate(steps, envs, "
    both = (EVALUATION, "env={id: ToyDiscreteVector-v0, num_envs: 4}")
    assert shared not in compiled(*both).module
    assert shared in compiled(*both, "evaluation.share_envs=always").module
    assert shared not in compiled(EVALUATION, "env.id=CartPole-v1", "training.device=cuda").module


def test_games_of_one_life_are_not_evaluated_in():
    pytest.importorskip("ale_py")
    game = (
        "env={id: PongNoFrameskip-v4, atari: {}, frame_stack: 4}",
        "networks={actor: {body: nature-cnn}, critic: {share: body}}",
        EVALUATION,
    )
    assert "run.evaluate(steps, make_envs, " in compiled(*game).module
    with pytest.raises(SpecError, match="E122"):
        compiled(*game, "evaluation.share_envs=always")


@pytest.mark.parametrize("every", ["null", "128"])
def test_evaluation_can_be_turned_off(tmp_path, every):
    overrides = (f"evaluation={{episodes: 0, every: {every}}}", "update.minibatch_size=32")
    module, result = run_of(tmp_path, *overrides)
    assert toys.Solitary.opened == 1
    assert (result.finished, result.evaluation) == (True, None)
    assert not (tmp_path / "evaluations.jsonl").exists()
    assert execute(module, tmp_path, mode="quiet", resume=True) == result._replace(
        earlier=True, seconds=round(result.seconds, 3)
    )
    assert evaluate_run(module, tmp_path).episodes == 10  # for whoever asks
    assert evaluate_run(module, tmp_path, episodes=2).episodes == 2


def test_episodes_that_never_end_are_cut(tmp_path):
    overrides = ("evaluation={episodes: 3, every: 128, max_steps: 30}", "update.minibatch_size=32")
    module, result = run_of(tmp_path, *overrides, env_id="Endless-v0")
    assert (result.evaluation.cut, result.evaluation.cut_after) == (3, 30)
    assert evaluate_run(module, tmp_path, max_steps=7).cut_after == 7
    row = json.loads((tmp_path / "result.json").read_text())["evaluation"]
    assert (row["cut"], row["cut_after"]) == (3, 30)
    hub.export(module, tmp_path, tmp_path / "hub")
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "\n\n3 of the episodes had not ended after 30 steps: these were cut" in card


def test_a_search_shares_its_environments_on_demand(tmp_path):
    overrides = (
        "env={id: CartPole-v1, num_envs: 16}",
        "evaluation={episodes: 3, every: 128, share_envs: always}",
        "update.rollout_steps=128",
    )
    text = SPEC.replace(", compile: never", "").format(algorithm="cem", env_id="CartPole-v1")
    compile_spec(resolve_text(text, "spec.yaml", overrides)).write(tmp_path)
    module = load_module(tmp_path / "module.py")
    made = []
    make_envs = module.make_envs
    module.make_envs = lambda count: made.append(count) or make_envs(count)
    env = replace(module.INTERFACE.environment, make=module.make_envs)
    module.INTERFACE = replace(module.INTERFACE, environment=env)
    assert execute(module, tmp_path, device="cpu", mode="quiet").evaluation.episodes == 3
    assert made == [16, 3]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), 27_000),
        (("env.max_episode_steps=50",), 27_000),
        (("env.max_episode_steps=40_000",), 40_000),
        (("env.max_episode_steps=40_000", "evaluation.max_steps=9"), 9),
        (("env.max_episode_steps=2_000_000",), 27_000),  # which nobody waits for
    ],
)
def test_no_limit_of_the_environment_is_cut_short(overrides, expected):
    text = compiled(*overrides, "update.minibatch_size=32").module
    assert f"EVALUATION_MAX_STEPS = {expected}  #" in text
