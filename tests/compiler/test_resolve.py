"""Layers of a spec, where each value comes from, and what the command does without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from ppoc.compiler.agent.presets import presets
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve, resolve_text

HEAD = "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n"


def test_later_layers_win(tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text(HEAD + "update: {epochs: 3, minibatch_size: 32}\nadvantage: {gamma: 0.5}\n")
    spec = tmp_path / "spec.yaml"
    spec.write_text("extends: base.yaml\nupdate: {minibatch_size: 16}\nname: mine\n")
    found = resolve(spec, ["advantage.λ=0.1", "training.seed=5"])
    update, advantage = found.spec.update, found.spec.advantage
    assert (update.epochs, update.minibatch_size, update.rollout_steps) == (3, 16, 2048)
    assert (advantage.gamma, advantage.lambda_, found.spec.training.seed) == (0.5, 0.1, 5)
    labels = {
        ("update", "epochs"): "base.yaml:4",
        ("update", "minibatch_size"): "spec.yaml:2",
        ("update", "rollout_steps"): "preset ppo",
        ("advantage", "lambda"): "-s advantage.λ=0.1",
        ("training", "device"): "default",
        ("optimizer", "critic", "lr"): "optimizer.actor",
    }
    assert {path: found.origin(path).label() for path in labels} == labels


def test_null_and_lists_replace():
    found = resolve_text(
        HEAD + "networks: {actor: {layers: [8]}}\n", "s.yaml", ["optimizer.max_grad_norm=null"]
    )
    assert found.spec.networks.actor.layers == [8]
    assert found.spec.optimizer.max_grad_norm is None


def test_the_critics_optimiser_is_the_actors_but_for_what_it_says():
    text = HEAD + "optimizer: {actor: {lr: 0.01, schedule: linear}, critic: {lr: 0.03}}\n"
    critic = resolve_text(text, "s.yaml").spec.optimizer.critic
    assert (critic.lr, critic.schedule) == (0.03, "linear")


def test_a_spec_without_a_name_has_its_files():
    assert resolve_text(HEAD, "my agent.yaml").spec.name == "my-agent"
    assert resolve_text(HEAD, "-.yaml").spec.name == "agent"


def test_a_lock_takes_nothing_from_the_preset():
    text = HEAD + "name: x\nupdate: {epochs: 3}\nlock: {format: 1}\n"
    found = resolve_text(text, "spec.lock.yaml")
    assert found.is_lock
    assert found.origin(("update", "minibatch_size")).label() == "default"


def test_circles_and_long_chains_of_extends(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {other}.yaml\n")
    with pytest.raises(SpecError, match=r"circle: a.yaml → b.yaml → a.yaml"):
        resolve(tmp_path / "a.yaml")
    for number in range(20):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    with pytest.raises(SpecError, match="more than 16"):
        resolve(tmp_path / "0.yaml")


@pytest.mark.parametrize(
    "value",
    ["3", "[a.yaml]", "a.py", "../../etc/passwd", "null", r'"\0.yaml"', "loop.yaml", "folder.yaml"],
)
def test_extends_takes_yaml_files(tmp_path, value):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "folder.yaml").mkdir()
    path = tmp_path / "s.yaml"
    path.write_text(HEAD + f"extends: {value}\n")
    with pytest.raises(SpecError) as caught:
        resolve(path)
    assert [d.code for d in caught.value.diagnostics] == ["E017"]


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_spec(name):
    found = resolve_text(HEAD.replace("ppo\n", f"{name}\n"), "s.yaml")
    assert found.spec.algorithm == name
    assert found.warnings == []


def test_resolving_imports_neither_torch_nor_environments():
    spec = Path(__file__).parents[2] / "specs" / "ppo" / "cartpole.yaml"
    code = (
        "import sys; from pathlib import Path; from ppoc.compiler.resolve import resolve; "
        f"resolve(Path({str(spec)!r})); "
        "print([m for m in ('torch', 'gymnasium', 'envpool', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
