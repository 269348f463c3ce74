"""Compiling beforehand compiles what a run would, and a run then compiles nothing."""

import pytest

from ppoc.runtime.errors import RunError
from ppoc.runtime.learning import compiled
from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.prebuild import prebuild

SHORT = (
    "training={total_steps: 256, compile: always}",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 2}",
    "evaluation.episodes=1",
)
HOST = "env.backend=gymnasium"
SPECS = {
    "ppo": (("ppo/cartpole", HOST), ["update"]),
    "on the device": (("ppo/cartpole", "env.backend=torch"), ["collect", "update"]),
    "target_kl": (("ppo/cartpole", HOST, "update.target_kl=0.02"), ["update"]),
    "trust region": (
        ("trpo/cartpole", HOST, "update={epochs: 2, minibatch_size: 64}"),
        ["fisher_product", "update"],
    ),
}


@pytest.mark.parametrize(
    "kind",
    ["ppo", *(pytest.param(kind, marks=pytest.mark.slow) for kind in SPECS if kind != "ppo")],
)
def test_a_run_after_it_compiles_nothing(module_of, tmp_path, monkeypatch, kind):
    spec, functions = SPECS[kind]
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "cache"))
    module, said, run = module_of(*spec, *SHORT), [], tmp_path / "run"
    built = prebuild(module, said.append)
    assert (built.ready, built.failed) == (functions, [])
    assert len(said) == len(functions)
    assert list(tmp_path.iterdir()) == [tmp_path / "cache"]

    def never(*arguments):
        raise AssertionError("traced or compiled")

    monkeypatch.setattr(compiled, "_trace", never)
    monkeypatch.setattr(compiled, "_compile", never)
    run.mkdir()
    assert execute(module, run, mode="quiet").steps == 256


def test_a_run_without_it_would_have_compiled(module_of, tmp_path, monkeypatch):
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "cache"))
    calls = []
    monkeypatch.setattr(compiled, "_compile", lambda *arguments: calls.append(arguments))
    with pytest.raises(RunError, match=r"training\.compile is always, and update is not"):
        execute(module_of("ppo/cartpole", HOST, *SHORT), tmp_path, mode="quiet")
    assert len(calls) == 1


def test_where_nothing_is_compiled_nothing_is_done(module_of, tmp_path, monkeypatch):
    module = module_of("ppo/cartpole", HOST, *SHORT, "training.compile=never")
    monkeypatch.setattr(module, "collect", None)
    assert prebuild(module, print) == ([], [])
    search = module_of("cem/cartpole", "training.total_steps=512")
    assert prebuild(search, print) == ([], [])


def test_what_cannot_be_compiled_is_named(module_of, tmp_path, monkeypatch):
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "cache"))

    def broken(*arguments):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(compiled, "_compile", broken)
    said = []
    assert prebuild(module_of("ppo/cartpole", HOST, *SHORT), said.append) == ([], ["update"])
    assert any("no compiler" in text for text in said)


def test_a_module_that_cannot_train_is_one_error(module_of, monkeypatch):
    module = module_of("ppo/cartpole", HOST, *SHORT)
    monkeypatch.setattr(module, "make_envs", lambda count: 1 / 0)
    with pytest.raises(RunError, match="ZeroDivisionError"):
        prebuild(module, print)
