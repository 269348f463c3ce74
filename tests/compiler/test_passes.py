"""What the planner decides, and that its decisions are what the module does."""

import pytest

from ppoc.compiler import passes


def test_a_long_run_is_compiled_and_a_short_one_is_not(compiled_of):
    long, short = (
        compiled_of("ppo/halfcheetah", f"training.total_steps={steps}")
        for steps in (1_000_000, 10_000)
    )
    assert long.plan.compile_update
    assert "step = run.compile(update)" in long.module
    assert not short.plan.compile_update
    assert "step = update" in short.module
    assert "torch.func" not in short.module


@pytest.mark.parametrize(("choice", "compiled"), [("always", True), ("never", False)])
def test_a_spec_may_say_whether_to_compile(compiled_of, choice, compiled):
    steps = 10_000 if choice == "always" else 1_000_000
    flags = (f"training.total_steps={steps}", f"training.compile={choice}")
    for name in ("ppo/halfcheetah", "trpo/halfcheetah"):
        plan = compiled_of(name, *flags).plan
        assert plan.compile_update is compiled
        assert plan.compile_fisher is (compiled and name.startswith("trpo"))
        assert choice in plan.decisions[0].reason


def test_a_trust_regions_products_are_compiled_in_a_long_run(compiled_of):
    long, short = (
        compiled_of("trpo/halfcheetah", f"training.total_steps={steps}")
        for steps in (1_000_000, 20_000)
    )
    assert "multiply = run.compile(fisher_product)" in long.module
    assert "multiply = fisher_product" in short.module


def test_without_a_cxx_compiler_nothing_is_compiled(compiled_of, monkeypatch):
    plan = compiled_of("ppo/halfcheetah").plan
    monkeypatch.setattr(passes.shutil, "which", lambda name: None)
    decided = passes.choose_update(plan)
    assert not decided.compile_update
    assert "C++" in decided.decisions[-1].reason
    region = compiled_of("trpo/halfcheetah").plan
    assert not passes.choose_fisher_product(region).compile_fisher


@pytest.mark.parametrize(("width", "single"), [(64, True), (1024, False)])
def test_threads_follow_the_size_of_the_networks(compiled_of, width, single):
    compiled = compiled_of("ppo/halfcheetah", f"networks.actor.layers=[{width}, {width}]")
    assert compiled.plan.single_thread is single
    assert ("torch.set_num_threads(1)" in compiled.module) is single


def test_every_pass_says_what_it_chose_and_why(compiled_of):
    plan = compiled_of("ppo/halfcheetah").plan
    assert [decision.name for decision in plan.decisions] == ["update", "torch threads"]
    assert all(decision.choice and decision.reason for decision in plan.decisions)


def test_a_memory_is_taken_step_by_step(compiled_of):
    """Its update gains more, takes longer to compile, and has few rows at a time."""
    memory, plain = (
        compiled_of("ppo/cartpole-no-velocity", "training.total_steps=100_000", *more).plan
        for more in ((), ("networks={actor: {memory: null}, critic: {memory: null}}",))
    )
    assert memory.compile_update
    assert not plain.compile_update
    assert memory.single_thread
