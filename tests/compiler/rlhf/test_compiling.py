"""When blocks are compiled: where it was measured to gain, and the run is long enough."""

import pytest

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from rlhf_toy import write_toy

LLAMA = "model.config={architecture: llama, layers: 2, heads: 2, hidden_size: 128, context: 48}"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("toy"))


def decided(toy, *overrides):
    """The compiled spec, and the decisions by stage."""
    compiled = compile_spec(resolve(toy, overrides))
    return compiled, {d.name.removeprefix("blocks of "): d for d in compiled.decisions}


def test_a_short_run_is_not_compiled(toy):
    compiled, found = decided(toy, LLAMA)
    assert [d.choice for d in found.values()] == ["eager"] * 3
    assert "compiling takes about 30 s" in found["sft"].reason
    assert "compile" not in compiled.module


@pytest.mark.parametrize(
    ("stage", "override"),
    [("sft", "sft.epochs=9000"), ("reward", "reward.epochs=9000"), ("ppo", "ppo.episodes=900_000")],
)
def test_a_stage_that_is_long_enough_is_compiled(toy, stage, override):
    compiled, found = decided(toy, LLAMA, override)
    assert {s for s, d in found.items() if d.choice == "compiled"} == {stage}
    assert compiled.module.count("compile_blocks") == 1


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("model.config.architecture=gpt_neox", "saves 3% of a gradient step of gpt_neox"),
        ("model.config.hidden_size=512", "saves 4% of a gradient step of gpt2 with a width of 512"),
        ("sft.batch_size=8", "saves 4% of a gradient step of gpt2 with a width of 32"),
        ("training.device=cuda", "measured on the CPU only"),
        ("training.compile=never", "training.compile is never"),
    ],
)
def test_what_does_not_gain_is_not(toy, override, reason):
    found = decided(toy, "sft.epochs=9000", override)[1]
    assert found["sft"].choice == "eager"
    assert reason in found["sft"].reason


def test_without_a_compiler_nothing_is_compiled(toy, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    compiled, found = decided(toy, LLAMA, "sft.epochs=9000")
    assert [d.lacks_compiler for d in found.values()] == [True, False, False]
    assert "no C++ compiler is found" in found["sft"].reason
    assert "compile_blocks" not in compiled.module
    assert [w.code for w in compiled.warnings if w.code == "W206"] == ["W206"]
    always = decided(toy, "training.compile=always")[0]  # the run says so, at its start
    assert always.module.count("required=True") == 3


def test_always_compiles_every_model_that_learns(toy):
    compiled = decided(toy, "training.compile=always", "ppo.value=separate")[0]
    assert compiled.module.count("compile_blocks") == 4  # sft, reward; policy and value function
