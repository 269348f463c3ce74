"""An environment that has changed since its module was compiled is told from the one it was."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from typer.testing import CliRunner

import toys
from ppoc.cli.app import app
from ppoc.compiler.agent.env.probe import probe
from ppoc.compiler.agent.env.spaces import outline
from ppoc.compiler.output.build import Compiled, compile_spec
from ppoc.compiler.output.manifest import FolderError
from ppoc.compiler.output.verify import verified
from ppoc.compiler.resolve import resolve_text
from ppoc.runtime.envs.make import make
from ppoc.runtime.envs.spaces import fits, in_any_backend, text
from ppoc.runtime.envs.vector import EnvironmentFailure
from ppoc.runtime.run.launch import execute, load_module

SPEC = """\
ppoc: 1
algorithm: ppo
name: changing
env: {id: Changing-v0, num_envs: 2}
networks: {actor: {layers: [4]}, critic: {layers: [4]}}
update: {rollout_steps: 16, minibatch_size: 16, epochs: 1}
training: {total_steps: 64, checkpoint_every: 32, compile: never}
evaluation: {episodes: 2}
"""
BOX = spaces.Box(-1, 1, (3,), np.float32)
PARTS = {"a": BOX, "b": spaces.Box(-1, 1, (2,), np.float32)}
PAIR = spaces.Tuple((BOX, spaces.Discrete(2)))
SPACES = (
    BOX,
    spaces.Box(-1, 1, (4,), np.float32),
    spaces.Box(-1, 1, (3,), np.float64),
    spaces.Box(0, 1, (3,), np.float32),
    spaces.Box(-1, np.array([1, 1, 2], np.float32), (3,), np.float32),
    spaces.Box(-np.inf, np.inf, (3,), np.float32),
    spaces.Discrete(3),
    spaces.Discrete(4),
    spaces.Discrete(3, start=1),
    spaces.MultiDiscrete([3]),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiDiscrete([2, 3], start=[1, 0]),
    spaces.MultiDiscrete([[2, 3]]),
    spaces.MultiBinary(3),
    spaces.MultiBinary([3, 1]),
    spaces.Dict(PARTS),
    spaces.Dict({"a": PARTS["b"], "b": PARTS["a"]}),
    spaces.Dict({"a": PARTS["a"], "c": PARTS["b"]}),
    PAIR,
    spaces.Tuple((BOX, spaces.Discrete(2), spaces.Discrete(2))),
    spaces.Text(5),
)


@pytest.mark.parametrize("index", range(len(SPACES)))
def test_a_space_fits_its_own_outline_and_no_other(index):
    expected = outline(SPACES[index])
    assert [fits(expected, space) for space in SPACES] == [i == index for i in range(len(SPACES))]


def test_an_outline_is_literals_and_reads_as_gymnasium_prints_it():
    for space in (BOX, spaces.Discrete(3), spaces.Discrete(3, start=1), PAIR, SPACES[15]):
        assert text(outline(space)) == str(space)
    assert text(outline(spaces.MultiBinary([3, 1]))) == "MultiBinary((3, 1))"
    many = spaces.Box(-np.arange(9, dtype=np.float32), 1, (9,), np.float32)
    assert outline(many) == ("Box", (9,), "float32", None, 1.0)
    assert fits(outline(many), spaces.Box(-5, 1, (9,), np.float32))
    assert text(outline(many)) == "Box(…, 1.0, (9,), float32)"


def compiled_as(monkeypatch, observations=BOX, actions=toys.ACTIONS["Discrete"]) -> Compiled:
    monkeypatch.setattr(toys.Changing, "observations", observations)
    monkeypatch.setattr(toys.Changing, "actions", actions)
    return compile_spec(resolve_text(SPEC, "spec.yaml"))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("observations", BOX, spaces.Box(-1, 1, (5,), np.float32)),
        ("observations", BOX, spaces.Box(-1, 255, (3,), np.float32)),
        ("observations", spaces.Discrete(3), BOX),  # as flat
        ("observations", spaces.Dict(PARTS), spaces.Dict({"a": PARTS["b"], "b": PARTS["a"]})),
        ("actions", spaces.Discrete(3), spaces.Discrete(2)),
        ("actions", spaces.Discrete(3), spaces.Discrete(3, start=1)),
        ("actions", spaces.Box(-1, 1, (2,)), spaces.Box(-2, 1, (2,))),
        ("actions", spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([2, 3])),
    ],
)
def test_environments_are_not_made_with_other_spaces(monkeypatch, tmp_path, name, before, after):
    compiled_as(monkeypatch, **{name: before}).write(tmp_path)
    module = load_module(tmp_path / "module.py")
    module.make_envs(2).close()
    monkeypatch.setattr(toys.Changing, name, after)
    with pytest.raises(EnvironmentFailure, match="Changing-v0 has changed") as caught:
        module.make_envs(2)
    assert f"its {name} are {after}, not {before}" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("backend", ["gymnasium", "envpool", "torch"])
@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1", "Acrobot-v1"])
def test_every_backend_compares(env_id, backend):
    text_of = f"ppoc: 1\nname: a\nalgorithm: ppo\nenv: {{id: {env_id}, backend: {backend}}}\n"
    found = probe(resolve_text(text_of, "spec.yaml")).announced
    make(env_id, 2, backend=backend, spaces=found).close()
    with pytest.raises(EnvironmentFailure, match="has changed since its module was compiled"):
        make(env_id, 2, backend=backend, spaces=(found[0], ("Discrete", 7, 0)))


def test_a_film_is_of_gymnasium_whatever_the_backend(tmp_path):
    """Gymnasium's types and bounds may be others than envpool's."""
    spec = SPEC.replace("Changing-v0", "Hopper-v5, backend: envpool")
    resolved = resolve_text(spec, "spec.yaml")
    compile_spec(resolved).write(tmp_path)
    module = load_module(tmp_path / "module.py")
    for space in (module.OBSERVATION_SPACE, module.ACTION_SPACE):
        assert space[2] == "float64"
    env = gymnasium.make("Hopper-v5")
    assert not fits(module.ACTION_SPACE, env.action_space)
    assert fits(in_any_backend(module.ACTION_SPACE), env.action_space)
    assert fits(in_any_backend(module.OBSERVATION_SPACE), env.observation_space)
    assert not fits(in_any_backend(module.ACTION_SPACE), env.observation_space)
    assert in_any_backend(("Discrete", 2, 0)) == ("Discrete", 2, 0)


VERBS = (
    ("eval", "RUN"),
    ("eval", "RUN", "--video", "film.mp4"),
    ("export", "RUN", "--format", "torchscript"),
    ("run", "RUN", "--resume", "-q"),
    ("run", "RUN", "--again", "-q"),
)


@pytest.fixture
def half_a_run(monkeypatch, tmp_path):
    """Stopped at its first checkpoint, in an environment that now has a number more to observe."""
    compiled_as(monkeypatch).write(tmp_path)
    execute(load_module(tmp_path / "module.py"), tmp_path, mode="quiet")
    (tmp_path / "result.json").unlink()
    monkeypatch.setattr(toys.Changing, "observations", spaces.Box(-1, 1, (4,), np.float32))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ppoc.cli.training.supervisor.fork", lambda folder: None)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_says_it_in_one_message(half_a_run, verb):
    before = {path: path.read_bytes() for path in half_a_run.rglob("*") if path.is_file()}
    arguments = [str(half_a_run) if word == "RUN" else word for word in verb]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 3
    assert "its observations are Box(-1.0, 1.0, (4,), float32), not Box(-1.0, 1.0, (3,)" in (
        done.stderr
    )
    assert "Traceback" not in done.output
    assert all(
        path.read_bytes() == data for path, data in before.items() if "run.lock" not in str(path)
    )


def test_a_folder_of_somebody_else_says_which_spaces_are_others(monkeypatch, tmp_path):
    """Its module is compiled anew, and comes out otherwise."""
    compiled_as(monkeypatch).write(tmp_path)
    monkeypatch.setattr("ppoc.compiler.output.ownership.is_own", lambda checksum: False)
    assert verified(tmp_path)
    monkeypatch.setattr(toys.Changing, "actions", spaces.Discrete(5))
    with pytest.raises(FolderError, match="for another environment than there is here") as caught:
        verified(tmp_path)
    assert "its actions were ('Discrete', 3, 0), and are ('Discrete', 5, 0)" in str(caught.value)
