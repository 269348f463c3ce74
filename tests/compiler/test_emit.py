"""The emitter's text: golden files, formatting, stability, and no string of a spec as code."""

import ast
import random
from pathlib import Path

import pytest

from clean import complaints
from ppoc.compiler.emission.literals import Code, identifier, literal, prose
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve, resolve_text

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
ALLOWED_IMPORTS = {
    "math",
    "sys",
    "typing",
    "collections",
    "collections.abc",
    "numpy",
    "torch",
    "ppoc",
    "ppoc.runtime",
}
MODULES = {
    "cartpole": ("ppo/cartpole",),
    "halfcheetah": ("ppo/halfcheetah",),
    "pendulum_on_device": (
        "ppo/pendulum",
        "env={backend: torch, normalize: {observations: true, rewards: true}}",
        "training.compile=always",
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_golden_modules(compiled_of, name, request):
    """`pytest --update-golden` rewrites them, for review as a diff."""
    text = compiled_of(*MODULES[name]).module
    path = GOLDEN / f"{name}.py"
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_modules_are_formatted_and_clean(compiled_of, variant, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(compiled_of(*variant).module, encoding="utf-8")
    assert complaints(path) == ""


# One of each line, at random, makes a spec; many of them make no sense and are refused.
FEATURES = {
    "algorithm": sorted(p.stem for p in (ROOT / "specs" / "presets").glob("*.yaml")),
    "env": [
        "{id: CartPole-v1}",
        "{id: Hopper-v5, normalize: {observations: true, rewards: true}}",
        "{id: Pendulum-v1, backend: gymnasium, max_episode_steps: 100}",
        "{id: Pendulum-v1, backend: torch, normalize: {observations: true, rewards: true}}",
        "{id: Acrobot-v1, backend: torch, max_episode_steps: 100, normalize: {rewards: true}}",
    ],
    "networks.actor.layers": ["[64, 64]", "[]", "[8]"],
    "networks.critic": [None, "{share: actor}", "{layers: [16], activation: silu, init: default}"],
    "advantage.estimator": [None, "gae", "q", "reward-to-go", "return"],
    "advantage.baseline": [None, "mean"],
    "advantage.normalize": [None, "true", "false"],
    "losses.policy.schedule": [None, "linear"],
    "losses.policy.objective": [None, "clip", "score", "ratio", "min(ratio, 2) * A - 0.1 * kl"],
    "losses.value.clip": [None, "0.2"],
    "losses.entropy": [None, "{beta: 0.01}", "{beta: 0.01, schedule: linear}"],
    "optimizer.actor.schedule": [None, "linear"],
    "optimizer.critic.lr": [None, "2e-3"],
    "optimizer.critic.epsilon": [None, "1e-8"],
    "optimizer.max_grad_norm": [None, "null", "0.5"],
    "optimizer.trust_region": [None, None, "{kl_limit: 0.02}"],
    "update.buffer": [None, None, "{rollouts: 2}", "{rollouts: 3, importance: ratio}", "{clip: 2}"],
    "update.sampling": [None, "episodes"],
    "update.target_kl": [None, "0.02"],
    "training.total_steps": ["10_000", "10_000_000"],
    "training.compile": [None, "always", "never"],
    "training.device": [None, "cuda"],
    "evaluation.every": [None, "5000"],
}


def test_combinations_of_features_make_clean_modules(tmp_path):
    """No undefined name, unused line or odd layout, whatever features meet in a spec."""
    rng, texts = random.Random(0), set()
    for _ in range(300):
        chosen = {key: rng.choice(values) for key, values in FEATURES.items()}
        algorithm = chosen.pop("algorithm")
        overrides = [f"{key}={value}" for key, value in chosen.items() if value is not None]
        # Most specs keep most of their preset, or few would make sense.
        overrides = [text for text in overrides if text[:4] == "env=" or rng.random() < 0.3]
        try:
            spec = resolve_text(f"ppoc: 1\nalgorithm: {algorithm}\n", "spec.yaml", overrides)
            text = compile_spec(spec).module
        except SpecError:
            continue
        if text not in texts:
            texts.add(text)
            (tmp_path / f"module_{len(texts)}.py").write_text(text, encoding="utf-8")
    assert len(texts) > 100
    assert complaints(tmp_path) == ""


def test_modules_import_only_what_they_may(compiled_of, variant):
    for node in ast.walk(ast.parse(compiled_of(*variant).module)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        assert {name.removesuffix(".func").removesuffix(".nn.functional") for name in names} <= (
            ALLOWED_IMPORTS
        )


def test_the_same_spec_gives_the_same_bytes_and_so_does_its_lock(variant, tmp_path):
    name, *overrides = variant
    path = ROOT / "specs" / f"{name}.yaml"
    first, second = (compile_spec(resolve(path, overrides)) for _ in range(2))
    assert (first.module, first.lock, first.manifest) == (
        second.module,
        second.lock,
        second.manifest,
    )
    first.write(tmp_path)
    again = compile_spec(resolve(tmp_path / "spec.lock.yaml"))
    assert again.module == first.module
    assert again.lock == first.lock
    assert again.manifest == first.manifest


def test_a_lock_says_where_each_value_comes_from(compiled_of):
    lock = compiled_of("ppo/cartpole", "training.seed=7").lock
    lines = {line.split(":")[0].strip(): line for line in lock.splitlines()}
    assert lines["rollout_steps"].endswith("# cartpole.yaml:11")
    assert "training.seed=7" in lines["seed"]
    assert "preset" in lines["max_grad_norm"]
    assert lines["backend"].endswith("# probed")


def test_a_lock_takes_overrides(tmp_path, compiled_of):
    compiled_of("ppo/cartpole").write(tmp_path)
    changed = compile_spec(resolve(tmp_path / "spec.lock.yaml", ["training.seed=9"]))
    assert changed.module == compiled_of("ppo/cartpole", "training.seed=9").module


HOSTILE = [
    "__import__('os').system('true')",
    '"""\nimport os\n"""',
    "{{ 7 * 7 }}",
    "{% raw %}",
    "a\nimport os",
    "x'); evil(",
    "\\",
    "é\u202e",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "place", ["name", "env.id", "algorithm", "env.options.sutton_barto_reward"]
)
def test_hostile_strings_are_refused_or_literals(text, place):
    """No string of a spec is code: it is refused, or stands in the module as a string."""
    import json

    source = "ppoc: 1\nname: x\nalgorithm: ppo\nenv: {id: CartPole-v1, backend: gymnasium}\n"
    source += "training: {total_steps: 2048}\n"
    try:
        resolved = resolve_text(source, "spec.yaml", [f"{place}={json.dumps(text)}"])
        module = compile_spec(resolved).module
    except SpecError:
        return
    strings = [n.value for n in ast.walk(ast.parse(module)) if isinstance(n, ast.Constant)]
    assert text in strings


@pytest.mark.parametrize(
    "value",
    [
        True,
        None,
        3,
        1_000_000,
        -0.5,
        1e-8,
        3e30,
        float("inf"),
        "a'b\"c\n",
        ("x", 1.5),
        (1,),
        {"k": 2},
    ],
)
def test_literals_read_back(value):
    assert ast.literal_eval(literal(value)) == value


def test_what_is_no_literal_is_refused():
    for value in (float("nan"), object(), [1], Path()):
        with pytest.raises(TypeError):
            literal(value)
    for text in ('a"b', "a\\b", "a\nb", "\u202e"):
        with pytest.raises(ValueError, match="not plain prose"):
            prose(text)
    with pytest.raises(ValueError, match="not an identifier"):
        identifier("a b")


def test_templates_let_no_unchecked_value_through():
    from ppoc.compiler.emission.rendering import environment

    template = environment().from_string("{{ value }}")
    assert template.render(value=Code("x")) == "x"
    with pytest.raises(TypeError, match="unchecked value"):
        template.render(value="x")


def test_rewards_of_games_are_clipped_in_a_buffer_too(compiled_of):
    pytest.importorskip("ale_py")
    buffer = "update={buffer: {rollouts: 2}}"
    for more in ((), (buffer,)):
        assert compiled_of("ppo/pong", *more).module.count("np.sign(rollout.rewards)") == 1
