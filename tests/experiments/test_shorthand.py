"""`--seeds` and `--vary`: the experiments that they stand for."""

import pytest

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.experiments.shorthand import seeds_value, spec_text
from ppoc.formats.experiment import read


def test_seeds_and_values_are_a_spec():
    text = spec_text(
        "rates",
        "ppo/cartpole",
        ["training.total_steps=2048", "networks.actor.layers=[8, 8]"],
        "3,5",
        ["optimizer.actor.lr=1e-4,3e-4", "networks.critic.layers=[8],[8, 8]"],
    )
    found = resolve_text(text, "experiment.yaml")
    assert len(found.members) == 2 * 2 * 2
    first = found.members[0]
    assert (first.seed, first.steps) == (3, 2048)
    assert first.resolved.spec.networks.actor.layers == [8, 8]
    layers = {tuple(member.resolved.spec.networks.critic.layers) for member in found.members}
    assert layers == {(8,), (8, 8)}
    alone = resolve_text(spec_text("rates", "ppo/cartpole", [], None, ["gae.x=1"][:0]), "x.yaml")
    assert [member.seed for member in alone.members] == [1]


def test_seeds_are_a_number_or_a_list():
    assert [seeds_value(text) for text in ("5", "3,5, 8", "7,")] == ["5", "[3, 5, 8]", "[7]"]
    for text in ("", "five", "1-5", "3;5", "-1", "1.5", "²", "9" * 40):
        with pytest.raises(SpecError, match=r"not seeds|--seeds") as raised:
            seeds_value(text)
        assert "--seeds 5" in raised.value.diagnostics[0].help


@pytest.mark.parametrize(
    "flag", ["nothing", "a b=1", "x=[1", "x=1\ny: 2", "x=1]\n!!python/object:os.system [", "=1"]
)
def test_flags_that_read_as_something_else_are_refused(flag):
    for given in ({"changes": [flag], "vary": []}, {"changes": [], "vary": [flag]}):
        with pytest.raises(SpecError):
            resolve_text(spec_text("x", "ppo/cartpole", seeds="1", **given), "experiment.yaml")


def test_the_spec_stands_in_the_folder(ppoc, tmp_path):
    """It names its base from there, whichever folder it was run from."""
    base = tmp_path / "specs"
    base.mkdir()
    assert ppoc("init", base / "agent.yaml").code == 0
    short = ("-s", "training.total_steps=64", "-s", "update.rollout_steps=64")
    short += ("-s", "update.minibatch_size=64", "-s", "evaluation.episodes=0")
    done = ppoc("run", "specs/agent.yaml", "--seeds", "2", *short, "--quiet")
    assert done.code == 0, done.err
    (folder,) = (tmp_path / "runs").iterdir()
    kept = resolve(folder / "experiment.yaml")
    assert [member.name for member in kept.members] == [run.run for run in read(folder).runs]
    assert {run.score for run in read(folder).runs} == {None}

    wrong = ppoc("run", "specs/agent.yaml", "--vary", "optimizer.actor.lr=1e-4,-3")
    assert wrong.code == 1
    assert "optimizer.actor.lr" in wrong.err
    twice = ppoc("run", folder / "experiment.yaml", "--vary", "gae.lambda=0.9,1")
    assert twice.code == 2
    assert "write `vary` into this one" in twice.err
