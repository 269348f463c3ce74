"""Decisions of the planner, which are what the module does."""

import pytest

from ppoc.compiler.agent import passes


def test_a_long_run_is_compiled_and_a_short_one_is_not(compiled_of):
    long, short = (
        compiled_of("ppo/halfcheetah", f"training.total_steps={steps}")
        for steps in (1_000_000, 10_000)
    )
    assert long.plan.compile_update
    assert "update_step = run.log_updates(run.compile(update))" in long.module
    assert not short.plan.compile_update
    assert "update_step = run.log_updates(update)" in short.module
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
        assert (
            "run.compile(update, required=True)" in compiled_of(name, *flags).module
        ) is compiled


def test_a_trust_regions_products_are_compiled_in_a_long_run(compiled_of):
    long, short = (
        compiled_of("trpo/halfcheetah", f"training.total_steps={steps}")
        for steps in (1_000_000, 20_000)
    )
    assert "multiply = run.compile(fisher_product)" in long.module
    assert "multiply = fisher_product" in short.module


def test_without_a_cxx_compiler_nothing_is_compiled(compiled_of, monkeypatch):
    plan = compiled_of("ppo/halfcheetah").plan
    monkeypatch.setattr("ppoc.compiler.emission.compiling.has_compiler", lambda: False)
    decided = passes.choose_update(plan)
    assert not decided.compile_update
    assert "C++" in decided.decisions[-1].reason
    assert decided.decisions[-1].lacks_compiler
    region = compiled_of("trpo/halfcheetah").plan
    assert not passes.choose_fisher_product(region).compile_fisher


@pytest.mark.parametrize(("width", "single"), [(64, True), (1024, False)])
def test_threads_follow_the_size_of_the_networks(compiled_of, width, single):
    compiled = compiled_of("ppo/halfcheetah", f"networks.actor.layers=[{width}, {width}]")
    assert compiled.plan.single_thread is single
    assert ("torch.set_num_threads(1)" in compiled.module) is single


ALWAYS, NEVER = "training.compile=always", "training.compile=never"
ON_DEVICE = {
    "long": ("ppo/cartpole", "training.total_steps=10_000_000"),
    "always": ("ppo/cartpole", ALWAYS),
    "torch": ("ppo/cartpole", ALWAYS, "env.backend=torch"),
    "cuda": ("ppo/cartpole", NEVER, "training.device=cuda"),
    "trust region": ("trpo/cartpole", ALWAYS),
}
ON_HOST = {
    "short": ("ppo/cartpole",),
    "never": ("ppo/cartpole", NEVER, "env.backend=torch"),
    "many, but short": ("ppo/cartpole", "env.num_envs=512", "update.rollout_steps=16384"),
    "gymnasium": ("ppo/cartpole", ALWAYS, "env.backend=gymnasium"),
    "envpool": ("ppo/cartpole", ALWAYS, "env.backend=envpool", "training.device=cuda"),
    "options": ("ppo/cartpole", ALWAYS, "env.options={sutton_barto_reward: true}"),
    "MuJoCo": ("ppo/halfcheetah", ALWAYS, "training.device=cuda"),
    "buffer": ("off-policy/cartpole", ALWAYS),
    "state-dependent": ("ppo/pendulum", ALWAYS, "networks.actor.std=state-dependent"),
    "squashed": ("ppo/pendulum", ALWAYS, "networks.actor.distribution=tanh-gaussian"),
    "search": ("cem/cartpole", ALWAYS),
}


@pytest.mark.parametrize("kind", [*ON_DEVICE, *ON_HOST])
def test_rollouts_are_where_they_are_fast_and_actors_where_rollouts_are(compiled_of, kind):
    compiled = compiled_of(*(ON_DEVICE | ON_HOST)[kind])
    plan, on_device = compiled.plan, kind in ON_DEVICE
    assert plan.device_rollout is on_device
    assert plan.compile_rollout is (on_device and kind != "cuda")
    assert ("def new_episodes(" in compiled.module) is on_device
    assert ("chunk = run.compile(collect" in compiled.module) is plan.compile_rollout
    assert on_device <= (plan.facts.backend == "torch")
    choices = {decision.name: decision.choice for decision in plan.decisions}
    assert choices["actor"] == ("torch" if on_device else "NumPy")
    assert ("return np.argmax" in compiled.module) <= (not on_device)


@pytest.mark.parametrize(("steps", "chunk"), [(256, 4), (9, 3), (7, 1), (1, 1)])
def test_a_chunk_divides_the_rollout(compiled_of, steps, chunk):
    sizes = f"update={{rollout_steps: {8 * steps}, minibatch_size: {8 * steps}}}"
    assert compiled_of("ppo/cartpole", sizes, ALWAYS).plan.chunk == chunk


def test_every_pass_says_what_it_chose_and_why(compiled_of):
    plan = compiled_of("ppo/halfcheetah").plan
    assert [decision.name for decision in plan.decisions] == [
        "update",
        "torch threads",
        "rollout",
        "actor",
        "values and log-probabilities",
        "noise",
    ]
    assert all(decision.choice and decision.reason for decision in plan.decisions)


def test_a_memory_is_taken_step_by_step(compiled_of):
    """Its update gains more, takes longer to compile, and has few rows at a time."""
    memory, plain = (
        compiled_of("ppo/cartpole-no-velocity", "training.total_steps=100_000", *more).plan
        for more in ((), ("networks={actor: {memory: null}, critic: {memory: null}}",))
    )
    assert memory.compile_update
    assert not plain.compile_update
    # 20 s gained would be worth the 8 s that a plain update takes, and are not worth 40 s.
    short = compiled_of("ppo/cartpole-no-velocity", "training.total_steps=50_000").plan
    gained = short.num_updates * (0.5e-3 + 32 * 0.3e-3)
    assert 8 < gained < 40
    assert not short.compile_update
    assert memory.single_thread
