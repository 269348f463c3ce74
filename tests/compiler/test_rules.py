"""A rule reads what it says it reads, so that recovery skips the right ones.

Every rule is asked about every page's example, the zoo and what the tests of templates compile;
sections of these specs note which of their values are read.
"""

import contextlib
import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.env.observed import Observed, Part
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.batch import check
from ppoc.compiler.front.program import Decision
from ppoc.compiler.front.resolve import examine_text
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.front.suggest import places
from ppoc.compiler.kinds import KINDS
from ppoc.compiler.pages import pages
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.compiler.rlhf.probe import RlhfFacts
from zoo import VARIANTS, ZOO

YAML = re.compile(r"```yaml\n(.*?)```\n", re.DOTALL)
DISCRETE = EnvFacts("", "gymnasium", (4,), "discrete", 2)
CONTINUOUS = EnvFacts("", "gymnasium", (3,), "continuous", 1, (), (-2.0,), (2.0,))
IMAGES = EnvFacts(
    "", "gymnasium", (4, 84, 84), "discrete", 6, pixel=255.0, reward_range=99.0,
    observed=Observed((Part("", (84, 84, 4), "u", 0, 255), Part("x", (9,), "f", -1e6, 1e6)), "x"),
)  # fmt: skip
# Branches that neither the pages nor those specs take.
MORE = {
    "a-life": ("ppo/cartpole", "env.atari={}", "evaluation.share_envs=always"),
    "beta": ("ppo/pendulum", "networks.actor={distribution: beta}"),
    "scaled": ("ppo/pendulum", "networks.actor={action_scaling: bounds}"),
}
OF_PROBES = {"E103", "E105", "E106", "E107", "E119", "E130"}
RLHF = """\
ppoc: 1
kind: rlhf
name: model
model: {config: {}}
stages: [sft, reward, ppo]
data: {demonstrations: demonstrations.jsonl, preferences: preferences.jsonl}
"""
SEARCH = "search={space: {update.epochs: {int: [1, 9]}}, cost: true, prune: wilcoxon, seeds: 1}"
EXPERIMENTS = {"plain": ("seeds=1",), "search": (SEARCH, "seeds=2", "compare.baseline=x")}
SMALLEST = {
    "control": "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n",
    "rlhf": RLHF,
    "experiment": "ppoc: 1\nkind: experiment\nbase: ppo/cartpole\n",
}
RLHF_VARIANTS = {
    "bytes": (),
    "byte-pairs": ("model.tokenizer.bpe=300", "stages=[ppo]", "start={policy: p, reward: r}"),
    "unlearnt": ("model.tokenizer.bpe=300", "data={demonstrations: null, prompts: p.jsonl}"),
    "both": ("model={id: gpt2}",),
    "from-the-hub": ("model={id: gpt2, tokenizer: gpt2}", "ppo.epochs=20", "reward.epochs=9"),
    "folder": ("model={id: ./m}", "data.prompts=demonstrations.jsonl", "data.overlong=drop"),
    "own": ("ppo.losses.value.objective=(V - R) ** 2", "ppo.kl={target: 1.0, beta: 0.7}"),
    "inherited": (
        "model.tokenizer.bpe=300", "stages=[ppo]", "start={policy: p, reward: r}",
        "data={demonstrations: null, prompts: demonstrations.jsonl}",
    ),
    "large": ("model.lora={rank: 4}", "ppo.value=separate", "data.demonstrations=null"),
    "whole": ("ppo={kl: {beta: 0.9}, value_optimizer: null, generation: {top_k: 3}}",),
}  # fmt: skip


READ = set()  # the paths of values that were read, of any section that is watched


@cache
def watched(model, path):
    """A section's class, whose values are noted when they are read."""
    keys = {name: f"{path}{info.alias or name}" for name, info in model.model_fields.items()}

    class Watched(model):
        def __getattribute__(self, name):
            if name in keys:
                READ.add(keys[name])
            return super().__getattribute__(name)

        def __eq__(self, other):
            READ.add(f"{path}*")
            return vars(self) == vars(other)

        __hash__ = None

    return Watched


def watch(section, path=""):
    """Have a section, and those in it, note from now on which of their values are read."""
    model, values = type(section), vars(section)
    for name in set(values) - set(model.model_fields):
        del values[name]  # it was computed of values, and is to be computed again
    for name, info in model.model_fields.items():
        if isinstance(values[name], BaseModel):
            watch(values[name], f"{path}{info.alias or name}.")
    if model.__name__ != "Watched":
        object.__setattr__(section, "__class__", watched(model, path))


def undeclared(declared, read):
    """The paths that were read and are not declared, nor on the way to one that is."""

    def covers(one, path):
        section = one.removesuffix(".*")
        return f"{section}.".startswith(f"{path}.") or (
            one.endswith(".*") and path.startswith(f"{section}.")
        )

    return {path for path in read if not any(covers(one, path) for one in declared)}


def examples():
    """The specs, by name, without a value that no rule may see."""
    found = {}
    for code, page in pages().items():
        meant = not code.startswith("E0")  # the others are of texts with a wrong value
        for text in YAML.findall(page.text)[:meant]:
            found[code] = examine_text(text, Path("spec.yaml"), (), KINDS).resolved
    for name, (spec, *overrides) in {**VARIANTS, **MORE}.items():
        path = ZOO / f"{spec}.yaml"
        found[name] = examine_text(path.read_text(), path, overrides, KINDS).resolved
    for name, overrides in RLHF_VARIANTS.items():
        found[name] = examine_text(RLHF, Path("spec.yaml"), overrides, KINDS).resolved
    for name, overrides in EXPERIMENTS.items():
        text = SMALLEST["experiment"]
        found[name] = examine_text(text, Path("spec.yaml"), overrides, KINDS).resolved
    for path in sorted(ZOO.glob("rlhf/*.yaml")):
        found[f"rlhf/{path.stem}"] = resolve(path)
    return {name: spec for name, spec in found.items() if spec and not spec.left_out}


def given(resolved, phase):
    """Lists of what a rule of a phase is given besides a spec."""
    if phase in (Phase.SPEC, Phase.ADVICE):
        return [()]
    if phase is Phase.DECIDED:
        return [((Decision("update", "eager", "there is none", lacks_compiler=True),),)]
    if resolved.kind.name == "experiment":
        return [(resolved.plan,)] if resolved.can_plan else []
    if resolved.kind.name == "rlhf":
        facts = RlhfFacts(resolved)
        other = resolve_text(RLHF, "other.yaml")
        places = {"policy": resolved.spec.start.policy, "reward": resolved.spec.start.reward}
        starts = {what: other for what, place in places.items() if place not in (None, "base")}
        facts.__dict__["starts"] = starts  # as if they were there
        return [(RlhfFacts(resolved),), (facts,)]
    every = (DISCRETE, CONTINUOUS, IMAGES)
    return [(facts if phase is Phase.PROBED else Plan(resolved.spec, facts),) for facts in every]


def write_data(folder, second, response="x"):
    """Two examples for each stage, the second of a given prompt."""
    for name, answers in (
        ("demonstrations", {"response": response}),
        ("preferences", {"chosen": "x", "rejected": "y"}),
    ):
        rows = [{"prompt": prompt, **answers} for prompt in ("What?", second)]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def reads(tmp_path_factory):
    """Rule → paths that it read of any example."""
    folder = tmp_path_factory.mktemp("examples")
    write_data(folder, "What?", "x" * 99)
    (folder / "m").mkdir()
    config = {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 9}
    (folder / "m" / "config.json").write_text(json.dumps(config))
    found = defaultdict(set)
    with contextlib.chdir(folder):
        for resolved in examples().values():
            for one in resolved.kind.rules:
                for arguments in given(resolved, one.phase):
                    watch(resolved.spec)
                    READ.clear()
                    list(one.find(resolved, *arguments))
                    found[resolved.kind.name, one] |= READ
    return found


RULES = [(name, one) for name, kind in KINDS.items() for one in kind.rules]
IDS = [f"{name}-{one.code}-{one.find.__name__}" for name, one in RULES]


@pytest.mark.parametrize("which", RULES, ids=IDS)
def test_a_rule_reads_what_it_declares(which, reads):
    assert undeclared(which[1].reads, reads[which]) == set()


@pytest.mark.parametrize("which", RULES, ids=IDS)
def test_a_rule_declares_what_there_is_and_is_read(which, reads):
    """Else recovery skips it for a value that it does not need."""
    name, one = which
    declared = {path.removesuffix(".*") for path in one.reads}
    assert {path for path in declared if undeclared(reads[which], {path})} == set(), name


def test_a_read_that_is_not_declared_is_noticed():
    @rule("E101", "update.epochs")
    def dishonest(resolved):
        _ = resolved.spec.update.epochs, resolved.spec.networks.critic.share
        yield from ()

    resolved = resolve(ZOO / "ppo/cartpole.yaml")
    watch(resolved.spec)
    READ.clear()
    list(dishonest.find(resolved))
    paths = {"networks", "networks.critic", "networks.critic.share"}
    assert undeclared(dishonest.reads, READ) == paths
    assert not undeclared(("update.epochs", "networks.*"), READ)


def paths(kind):
    """Every path of a language but those of its lock."""
    found = {path for paths in places(kind.model).values() for path in paths}
    return sorted(path for path in found if path.split(".")[0] not in ("lock", "kind"))


@pytest.mark.parametrize("name", KINDS)
def test_a_wrong_value_anywhere_makes_no_rule_fail(name, tmp_path):
    """Neither a rule nor a probe reads a value that was left out."""
    kind, path = KINDS[name], tmp_path / "spec.yaml"
    path.write_text(SMALLEST[name])
    write_data(tmp_path, "Why?")
    for wrong in paths(kind):
        probed = name == "rlhf" or wrong.split(".")[0] in ("env", "networks")
        report = check(path, [f"{wrong}={{wrong: [{{}}]}}"], probe=probed)
        codes = {d.code for d in report.found}
        assert any(code.startswith("E01") for code in codes), wrong
        assert not codes & OF_PROBES, wrong
