"""Experiments said in English and drafted again are the same experiments."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.draft.compose import compose
from ppoc.draft.describe import describe
from ppoc.draft.engines import read_offline
from ppoc.draft.spec.write import scalar
from zoo import ZOO

HEAD = "ppoc: 1\nkind: experiment\nname: a\n"
INLINE = "base: {ppoc: 1, algorithm: ppo, env: {id: CartPole-v1}}\n"
SPECS = {
    "zoo": """\
question: "Does an entropy bonus help PPO on Hopper: 5 seeds, lr 1e-3?"
base: ppo/hopper
set: {training.total_steps: 2_000_000}
variants:
  plain: {}
  entropy: {losses.entropy.beta: 0.01}
  trpo: {base: trpo/halfcheetah}
tasks: [Hopper-v5, Walker2d-v5]
compare: {baseline: plain, confidence: 0.99}
""",
    "grid": f"""{INLINE}\
set: {{training: {{total_steps: 30000}}}}
vary:
  optimizer.actor.lr: [1e-4, 3e-4]
  networks.actor.activation: [tanh, relu]
  networks.actor.layers: [[64, 64], [32]]
  update.epochs: [2, 4]
seeds: [3, 5, 8]
compare: {{baseline: "lr=0.0001, activation=tanh, layers=[64,64], epochs=2"}}
""",
    "search": """\
base: ppo/cartpole
search:
  space:
    optimizer.actor.lr: {log: [1e-5, 1e-2]}
    update.epochs: {int: [1, 20]}
    advantage.lambda: {range: [0.9, 1.0]}
    networks.actor.activation: {choice: [tanh, relu]}
  method: random
  trials: 20
  confirm: 5
  cost: true
budget: {hours: 2.5}
""",
    "variants": f"""{INLINE}\
variants:
  ppo: {{}}
  trpo: {{algorithm: trpo}}
  clip-0.1: {{losses.policy.epsilon: 0.1}}
  both: {{losses: {{entropy: {{beta: 0.02}}}}, update.epochs: 3, advantage.normalize: false}}
compare: {{threshold: 475, margin: 10.5, baseline: ppo}}
budget: {{runs: 40, steps: 100_000_000}}
engine: ray
jobs: 4
""",
    "objectives": f"""{INLINE}\
set: {{evaluation.every: null}}
variants:
  clip: {{}}
  ratio: {{losses.policy.objective: ratio}}
  fixed: {{losses.policy: {{objective: kl-penalty, parameters: {{kl_weight: 3.0}}}}}}
  adaptive:
    losses.policy: {{objective: kl-penalty, parameters: {{kl_weight: 1.0}}, kl_target: 0.01}}
tasks: [CartPole-v1, Acrobot-v1]
compare: {{scores: {{CartPole-v1: [20, 500], Acrobot-v1: [-500, -62.5]}}}}
""",
    "one variant": f"{INLINE}variants: {{small: {{networks.actor.layers: [32]}}}}\nseeds: 3\n",
    "seeds": f"{INLINE}seeds: 10\n",
    "one task": "base: ppo/cartpole\ntasks: [Acrobot-v1]\nseeds: 2\n",
    "pendulum": "base: ppo/pendulum\nvary: {advantage.gamma: [0.9, 0.95]}\n"
    "compare: {threshold: -200}\n",
    "rlhf": "base: {ppoc: 1, kind: rlhf, model: {id: gpt2}, data: {demonstrations: d.jsonl, "
    "preferences: p.jsonl}}\nvariants: {low: {ppo.kl.beta: 0.02}, high: {ppo.kl.beta: 0.2}}\n"
    "vary: {sft.epochs: [1, 2]}\nseeds: 3\n",
}


def runs(resolved):
    """Every run with all that it means, but for names."""
    found = []
    for member in resolved.members:
        spec = member.resolved.spec.model_dump(mode="json", by_alias=True)
        del spec["name"]
        found.append((member.setting, member.task, member.seed, spec))
    return sorted(found, key=repr)


def assert_the_same(spec):
    text, unsaid = describe(spec)
    draft = compose(read_offline(text))
    assert unsaid == [], text
    assert draft.notes == [], text
    one, other = runs(spec), runs(draft.resolved)
    if not (spec.spec.variants or spec.spec.vary):  # called by the name of the base
        one, other = ([run[1:] for run in side] for side in (one, other))
    assert one == other, text
    for section in ("question", "search", "compare", "budget", "engine", "jobs", "seeds", "tasks"):
        assert getattr(spec.spec, section) == getattr(draft.resolved.spec, section), text


@pytest.mark.parametrize("name", SPECS)
def test_words_of_the_whole_language_are_read_again(name):
    assert_the_same(resolve_text(HEAD + SPECS[name], "experiment.yaml"))


EXPERIMENTS = sorted((ZOO / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_the_zoos_are_the_same_again(path):
    assert_the_same(resolve(path))


def test_what_has_no_words_is_said():
    text = HEAD + INLINE + "engine: {name: slurm, partition: gpu}\nvariants:\n"
    text += "  a: {losses.policy.objective: ratio * A}\n  b: {}\n"
    unsaid = describe(resolve_text(text, "experiment.yaml"))[1]
    assert "engine.partition" in unsaid
    assert "variants.a.losses.policy.objective" in unsaid


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4}|-0\.[1-9])?", fullmatch=True)
CHANGES = {
    "losses.entropy.beta": st.sampled_from([0.0, 0.01, 0.02]),
    "losses.policy.epsilon": st.sampled_from([0.1, 0.15, 0.3]),
    "optimizer.actor.lr": st.sampled_from([1e-4, 2.5e-4, 1e-3]),
    "advantage.lambda": st.sampled_from([0.8, 0.9, 1.0]),
    "advantage.normalize": st.booleans(),
    "networks.actor.activation": st.sampled_from(["tanh", "relu", "elu"]),
    "networks.actor.layers": st.sampled_from([[32], [64, 64], [128, 64]]),
    "update.epochs": st.integers(1, 20),
    "env.num_envs": st.sampled_from([4, 8, 16]),
    "algorithm": st.sampled_from(["ppo", "a2c", "reinforce"]),
}
BASES = ["ppo/cartpole", {"ppoc": 1, "algorithm": "ppo", "env": {"id": "CartPole-v1"}}]
SWEPT = ("optimizer.actor.lr", "losses.policy.epsilon", "update.epochs", "advantage.normalize")


@st.composite
def experiments(draw):
    """An experiment of agents, of variants, of a grid, or of both."""
    spec = {"ppoc": 1, "kind": "experiment", "name": "a", "base": draw(st.sampled_from(BASES))}
    if draw(st.booleans()):
        spec["set"] = {"training.total_steps": draw(st.sampled_from([20_000, 1_000_000]))}
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    paths = [path for path in CHANGES if path not in ("algorithm",) or draw(st.booleans())]
    for name in names:
        chosen = draw(st.lists(st.sampled_from(paths), max_size=3, unique=True))
        chosen = ["algorithm"] if "algorithm" in chosen else chosen
        changes = {path: draw(CHANGES[path]) for path in chosen}
        spec.setdefault("variants", {})[name] = changes
    swept = draw(st.lists(st.sampled_from(SWEPT), max_size=2 if not names else 1, unique=True))
    if any("algorithm" in changes for changes in spec.get("variants", {}).values()):
        swept = []
    for path in swept:
        values = draw(st.lists(CHANGES[path], min_size=2, max_size=3, unique=True))
        spec.setdefault("vary", {})[path] = values
    spec["seeds"] = draw(st.one_of(st.integers(2, 30), st.just([3, 9]), st.just([0, 1, 42])))
    if draw(st.booleans()):
        spec["tasks"] = ["CartPole-v1", "Acrobot-v1"]
    if names and draw(st.booleans()) and not swept:
        spec["compare"] = {"baseline": draw(st.sampled_from(names))}
    return spec


def written(spec):
    return "".join(f"{key}: {scalar(value)}\n" for key, value in spec.items())


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(experiments())
def test_any_experiment_of_a_family_is_the_same_again(spec):
    text = written(spec)
    assert YAML(typ="safe").load(text) == spec
    from ppoc.compiler.front.diagnostics import SpecError

    try:
        resolved = resolve_text(text, "experiment.yaml")
    except SpecError:
        return  # such as environments that do not share a rollout of A2C
    assert_the_same(resolved)
