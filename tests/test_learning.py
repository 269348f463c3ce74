"""The zoo learns: the main job on every run of the tests, the rest where time is no matter."""

from pathlib import Path

import pytest

from ppoc.runtime.run.launch import execute

ROOT = Path(__file__).parents[1]

# Mean return of the final evaluation that a spec must reach with its own seed.
REACHES = {
    "a2c/cartpole": 450,
    "cem/cartpole": 450,
    "off-policy/cartpole": 450,
    "ppo-lecture/cartpole": 450,
    "q-actor-critic/cartpole": 450,
    "a2c-trust-region/cartpole": 300,
    "figure3/a2c": 800,
    "figure3/a2c-trust-region": 1000,
    "figure3/cem": 100,
    "figure3/ppo": 1400,
    "figure3/trpo": 1000,
    "figure3/vpg-adaptive": 500,
    "ppo/acrobot": -90,
    "ppo/lunarlander": 200,
    "ppo/pendulum": -250,
    # Without memory 42 (-s networks.actor.memory=null -s networks.critic.memory=null).
    "ppo/cartpole-no-velocity": 450,
    "ppo/pong": 0,
    "ppo/halfcheetah": 1400,
    "ppo/halfcheetah-tuned": 4000,
    "ppo/hopper": 2000,
    "ppo/walker2d": 2000,
    "ppo-kl/cartpole": 450,
    "ppo-kl-adaptive/cartpole": 450,
    "reinforce/cartpole": 300,
    "reinforce-baseline/cartpole": 400,
    "reinforce-mean-baseline/cartpole": 400,
    "reinforce-to-go/cartpole": 400,
    "td-actor-critic/cartpole": 450,
    "trpo/cartpole": 450,
    "trpo/halfcheetah": 1000,
    "vpg-adaptive/cartpole": 400,
}


def test_the_main_job_solves_cartpole(module_of, tmp_path):
    result = execute(module_of("ppo/cartpole"), tmp_path, mode="quiet")
    assert result.evaluation.episodes == 100
    assert result.evaluation.mean >= 475


@pytest.mark.slow
def test_rollouts_on_the_device_solve_cartpole(module_of, tmp_path):
    module = module_of("ppo/cartpole", "training.compile=always")
    assert hasattr(module, "collect_in_chunks")
    assert execute(module, tmp_path, mode="quiet").evaluation.mean >= 475


@pytest.mark.slow
@pytest.mark.parametrize("name", REACHES)
def test_specs_of_the_zoo_learn(module_of, tmp_path, name):
    result = execute(module_of(name), tmp_path, mode="quiet")
    assert result.evaluation.mean >= REACHES[name]


def test_every_agent_of_the_zoo_is_in_the_list():
    paths = (ROOT / "specs").glob("*/*.yaml")
    paths = [p for p in paths if p.parent.name not in ("presets", "rlhf", "experiments")]
    assert {f"{p.parent.name}/{p.stem}" for p in paths} == {*REACHES, "ppo/cartpole"}
