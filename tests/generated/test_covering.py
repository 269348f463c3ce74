"""Pairs of the language's options: each that makes sense runs, each that does not is refused.

`legal` says independently of the compiler which combinations make sense.
"""

import csv
import json
import math
import random
from itertools import combinations, product

import pytest

from clean import complaints
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.runtime.run.launch import execute, load_module
from toys import ACTIONS, OBSERVATIONS

POINTS = ((0.0, 0.5), (0.6, 1.0), (1.0, 0.1))
OPTIONS = {
    "actions": [*ACTIONS],
    "observations": [*OBSERVATIONS],
    "algorithm": ["ppo", "a2c", "trpo", "buffer", "ratio-buffer"],
    "estimator": ["gae", "v-trace", "q", "reward-to-go", "return"],
    "baseline": ["none", "mean"],
    "body": ["mlp", "cnn", "nature-cnn", "impala-cnn"],
    "memory": [None, "lstm", "gru"],
    "critic_memory": [None, "lstm"],
    "share": [None, "body", "actor"],
    "layers": [1, 0],
    "distribution": ["gaussian", "tanh-gaussian", "beta"],
    "std": ["independent", "state-dependent", "gsde"],
    "resample_every": [None, 3],
    "action_scaling": ["auto", "bounds"],
    "init": ["orthogonal", "xavier", "kaiming", "default"],
    "activation": ["tanh", "relu", "elu", "silu", "gelu", "leaky_relu"],
    "optimizer": ["adam", "adamw", "rmsprop", "sgd"],
    "rates": ["one", "two"],
    "schedule": ["constant", "linear", "cosine", POINTS],
    "critic_schedule": ["constant", "linear", "cosine"],
    "loss_schedule": ["constant", "linear", "cosine", POINTS],
    "normalize_observations": [False, True],
    "normalize_rewards": [False, True],
    "normalize_advantages": [False, True],
    "sampling": ["rollout", "episodes"],
    "target_kl": [None, 0.02],
    "value_clip": [None, 0.2],
    "entropy": [0.0, 0.01],
    "max_grad_norm": [None, 0.5],
    "action_masks": [False, True],
    "frame_stack": [1, 2],
    "frame_skip": [1, 2],
    "evaluate": [None, 256],
    "deterministic": [True, False],
    "epochs": [1, 2],
    "minibatch": ["all", 32],
}
# Combinations that make no sense, one a line; a case may be unfinished.
FORBIDDEN = (
    # Images and bodies
    lambda c: c.other("body", "mlp") and c.any("observations", "Vector", "Choice", "Dict"),
    lambda c: c.other("body", "mlp") and c.any("normalize_observations", True),
    # Memory
    lambda c: c.any("memory", None) and c.other("critic_memory", None),
    lambda c: c.other("memory", None) and c.any("algorithm", "trpo", "buffer", "ratio-buffer"),
    lambda c: c.other("memory", None) and c.any("estimator", "q"),
    lambda c: c.other("memory", None) and c.any("action_masks", True),
    lambda c: (
        c.other("memory", None)
        and c.any("share", None)
        and c.other("body", "mlp")
        and c.any("estimator", "gae", "v-trace", "q")
    ),
    # A critic, and what it shares
    lambda c: c.any("estimator", "reward-to-go", "return") and c.other("critic_memory", None),
    lambda c: c.any("estimator", "reward-to-go", "return") and c.other("share", None),
    lambda c: c.other("share", None) and c.other("critic_memory", None),
    lambda c: c.any("share", "body") and c.any("body", "mlp") and c.any("memory", None),
    lambda c: (
        c.any("share", "actor")
        and c.any("body", "mlp")
        and c.any("memory", None)
        and c.any("layers", 0)
    ),
    # Estimators and methods
    lambda c: c.any("estimator", "reward-to-go", "return") and c.any("sampling", "rollout"),
    lambda c: c.any("estimator", "gae", "v-trace") and c.any("baseline", "mean"),
    lambda c: c.any("estimator", "v-trace") and c.other("algorithm", "buffer"),
    lambda c: c.any("estimator", "q") and c.any("actions", "MultiDiscrete", "MultiBinary"),
    lambda c: c.any("estimator", "q") and c.any("distribution", "tanh-gaussian", "beta"),
    lambda c: c.any("estimator", "q") and c.any("std", "state-dependent", "gsde"),
    lambda c: c.any("algorithm", "buffer") and c.any("estimator", "return"),
    lambda c: c.any("algorithm", "ratio-buffer") and c.any("estimator", "return", "reward-to-go"),
    lambda c: c.any("algorithm", "trpo") and c.any("estimator", "return", "reward-to-go"),
    lambda c: c.any("algorithm", "trpo") and c.other("share", None),
    lambda c: c.any("algorithm", "trpo") and c.other("target_kl", None),
    lambda c: c.any("algorithm", "trpo") and c.other("loss_schedule", "constant"),
    # Distributions
    lambda c: c.other("distribution", "gaussian") and c.choices(),
    lambda c: c.other("std", "independent") and c.choices(),
    lambda c: c.other("resample_every", None) and c.other("std", "gsde"),
    lambda c: c.other("distribution", "gaussian") and c.any("actions", "Unbounded"),
    lambda c: c.any("distribution", "beta") and c.other("std", "independent"),
    lambda c: c.any("action_scaling", "bounds") and c.other("distribution", "gaussian"),
    lambda c: c.any("action_scaling", "bounds") and (c.choices() or c.any("actions", "Unbounded")),
    # Masks
    lambda c: c.any("action_masks", True) and c.other("body", "mlp"),
    lambda c: c.any("action_masks", True) and c.other("share", None),
    lambda c: c.any("action_masks", True) and c.any("frame_stack", 2),
    lambda c: c.any("action_masks", True) and c.any("actions", "MultiBinary", "Box", "Unbounded"),
)


class Case(dict):
    """Values of options, some of which may not be chosen yet."""

    def any(self, key, *values):
        return key in self and self[key] in values

    def other(self, key, value):
        return key in self and self[key] != value

    def choices(self):
        return "actions" in self and self["actions"] not in ("Box", "Unbounded")


def spec_of(case):
    """The text of a case's spec."""
    critic = None
    body = {"body": case["body"], "init": case["init"], "activation": case["activation"]}
    body |= {"layers": [8] * case["layers"]}
    body |= {"convolutions": [[4, 5, 3], [6, 3, 2]]} if case["body"] == "cnn" else {}
    body |= {"features": 16} if case["body"] != "mlp" else {}
    actor = body | {"memory": {"kind": case["memory"], "size": 6} if case["memory"] else None}
    for key in ("distribution", "std", "resample_every", "action_scaling"):
        actor |= {key: case[key]} if case[key] != OPTIONS[key][0] else {}
    if case["estimator"] in ("gae", "v-trace", "q") or case["share"] or case["critic_memory"]:
        critic = {"share": case["share"]} if case["share"] else dict(body)
        critic |= {"memory": {"kind": "lstm", "size": 5}} if case["critic_memory"] else {}
        critic |= {"layers": [7]} if case["share"] == "body" else {}
    lr = 1e-6 if case["optimizer"] == "sgd" else 1e-4  # its steps have no scale of their own
    rates = {"kind": case["optimizer"], "lr": lr, "schedule": case["schedule"]}
    other = {"lr": 2 * lr, "schedule": case["critic_schedule"]} if case["rates"] == "two" else {}
    objectives = {"a2c": "score", "trpo": "ratio", "ratio-buffer": "ratio"}
    policy = {"objective": objectives.get(case["algorithm"], "clip")}
    value = {"clip": case["value_clip"], "schedule": case["loss_schedule"]}
    update = {
        "rollout_steps": 64,
        "epochs": case["epochs"],
        "minibatch_size": case["minibatch"],
        "sampling": case["sampling"],
        "target_kl": case["target_kl"],
    }
    if "buffer" in case["algorithm"]:
        ratio = case["algorithm"] == "ratio-buffer"
        update["buffer"] = {"rollouts": 2, "importance": "ratio" if ratio else "products"}
    spec = {
        "ppoc": 1,
        "name": "covering",
        "algorithm": case["algorithm"] if case["algorithm"] in ("a2c", "trpo") else "ppo",
        "env": {
            "id": f"Toy{case['actions']}{case['observations']}-v0",
            "num_envs": 4,
            "backend": "gymnasium",
            "frame_skip": case["frame_skip"],
            "frame_stack": case["frame_stack"],
            "action_masks": case["action_masks"],
            "normalize": {
                "observations": case["normalize_observations"],
                "rewards": case["normalize_rewards"],
            },
        },
        "networks": {"actor": actor, "critic": critic},
        "advantage": {
            "estimator": case["estimator"],
            "baseline": case["baseline"],
            "lambda": 0.0 if case["algorithm"] == "ratio-buffer" else 0.9,
            "normalize": case["normalize_advantages"],
        },
        "losses": {
            "policy": policy | {"schedule": case["loss_schedule"]},
            "value": value,
            "entropy": {"beta": case["entropy"], "schedule": case["loss_schedule"]},
        },
        "optimizer": {
            "actor": rates,
            "critic": other,
            "max_grad_norm": case["max_grad_norm"],
        },
        "update": update,
        "training": {"total_steps": 512, "seed": 1, "compile": "never", "device": "cpu"},
        "evaluation": {
            "episodes": 2,
            "every": case["evaluate"],
            "deterministic": case["deterministic"],
        },
    }
    return json.dumps(spec)


def covering(seed):
    """Cases that between them hold every pair of values that is in any case that makes sense."""
    rng = random.Random(seed)
    todo = dict.fromkeys(pairs(OPTIONS))
    cases = []
    for pair in [*todo]:
        tries = (completed(dict(pair), todo, rng) for _ in range(30))
        if pair in todo and (case := next(filter(None, tries), None)):
            cases.append(case)
            for found in pairs({key: [value] for key, value in case.items()}):
                todo.pop(found, None)
    return cases


def pairs(options):
    """All pairs of (option, value) of different options, in the order of OPTIONS."""
    for a, b in combinations([key for key in OPTIONS if key in options], 2):
        yield from product(((a, x) for x in options[a]), ((b, x) for x in options[b]))


def completed(case, todo, rng):
    """A whole case with the values given; None where a choice left no other one."""
    for key in rng.sample([*OPTIONS], len(OPTIONS)):
        if key in case:
            continue
        fits = [x for x in OPTIONS[key] if legal({**case, key: x})]
        if not fits:
            return None
        chosen = {option: [value] for option, value in case.items()}
        news = [sum(pair in todo for pair in pairs({**chosen, key: [x]})) for x in fits]
        case[key] = rng.choice([x for x, new in zip(fits, news, strict=True) if new == max(news)])
    return case if legal(case) else None


def legal(case):
    """Whether a case, or the values chosen so far, makes sense."""
    return not any(rule(Case(case)) for rule in FORBIDDEN)


def random_cases(count, seed):
    """Cases of any values."""
    rng = random.Random(seed)
    return [{key: rng.choice(values) for key, values in OPTIONS.items()} for _ in range(count)]


SENSIBLE = covering(seed=1)
CLASHES = [*pairs(OPTIONS)]
FAST = 16  # of them, run every time


MARKED = [pytest.param(c, marks=[pytest.mark.slow] * (i >= FAST)) for i, c in enumerate(SENSIBLE)]


@pytest.mark.parametrize("case", MARKED, ids=range(len(SENSIBLE)))
def test_a_case_that_makes_sense_runs_with_finite_losses(tmp_path, case):
    compile_spec(resolve_text(spec_of(case), "covering.yaml")).write(tmp_path)
    assert complaints(tmp_path / "module.py") == ""
    module = load_module(tmp_path / "module.py")
    result = execute(module, tmp_path, mode="quiet")
    assert result.steps == 512
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert all(math.isfinite(float(row[name])) for row in rows for name in module.METRICS)


@pytest.mark.parametrize("rule", range(len(FORBIDDEN)))
def test_what_makes_no_sense_is_refused_with_a_diagnostic(rule):
    """Each rule alone: a case that makes sense but for it."""
    rng = random.Random(rule)
    case = next(
        changed
        for case in rng.sample(SENSIBLE, len(SENSIBLE))
        for changed in ({**case, a: x, b: y} for (a, x), (b, y) in CLASHES)
        if [r for r, forbids in enumerate(FORBIDDEN) if forbids(Case(changed))] == [rule]
    )
    with pytest.raises(SpecError) as caught:
        compile_spec(resolve_text(spec_of(case), "covering.yaml"))
    assert all(found.code and found.message for found in caught.value.diagnostics)


def test_random_cases_are_refused_exactly_where_they_make_no_sense():
    for case in random_cases(40, seed=2):
        try:
            compile_spec(resolve_text(spec_of(case), "covering.yaml"))
        except SpecError:
            assert not legal(case), case
        else:
            assert legal(case), case
