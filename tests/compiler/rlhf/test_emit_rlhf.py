"""Modules of `kind: rlhf`: formatted and clean whatever the spec says; the same for the lock."""

import ast
import json
import random
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from clean import complaints
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from rlhf_toy import VARIANTS, write_toy

ROOT = Path(__file__).parents[3]
FEATURES = {
    "stages": ["[sft]", "[sft, reward]", "[sft, reward, ppo]"],
    "model.tokenizer": [None, "{bpe: 300}"],
    "model.lora": [None, "{rank: 2}", "{rank: 2, dropout: 0.1, targets: [c_attn]}"],
    "model.config.dropout": [None, "0.1"],
    "data.held_out": [None, "0"],
    "sft.loss_on": [None, "all"],
    "sft.optimizer": [None, "{schedule: linear, warmup: 0.1}", "{schedule: [[0, 1], [1, 0]]}"],
    "reward.objective": [None, "plackett-luce"],
    "reward.margin": [None, "0.5"],
    "reward.center": [None, "0"],
    "reward.start": [None, "base"],
    "reward.optimizer": [None, "{weight_decay: 0.1, epsilon: 1e-6, max_grad_norm: null}"],
    "ppo.generation": [None, "{max_new_tokens: 16, top_k: 5, top_p: 0.9, temperature: 0.7}"],
    "ppo.kl": [None, "{target: 6.0}", "{estimator: k2}", "{estimator: k3, target: 3, beta: 0.1}"],
    "ppo.rewards": [None, "{normalize: false, missing_end: null}", "{clip: 5}"],
    "ppo.advantage.whiten": [None, "false"],
    "ppo.losses.policy": [
        None,
        "{objective: ratio}",
        "{objective: kl-penalty, parameters: {kl_weight: 0.1}}",
        "{objective: 'min(ratio, 1 + c) * A', parameters: {c: 0.3}}",
    ],
    "ppo.losses.value": [None, "{clip: null}"],
    "ppo.losses.entropy": [None, "{beta: 0.01}"],
    "ppo.value": [None, "separate"],
    "ppo.value_optimizer": [None, "null"],
    "ppo.optimizer": [None, "{schedule: linear}", "{schedule: cosine, warmup: 0.1, epsilon: 1e-5}"],
    "ppo.target_kl": [None, "0.1"],
    "evaluation.every": [None, "2"],
    "training.checkpoint_every": [None, "3"],
    "training.compile": [None, "always", "never"],
    "model.dtype": [None, "bfloat16"],
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("toy"))


def compiled(toy, *overrides):
    return compile_spec(resolve(toy, overrides))


def test_modules_of_random_specs_are_formatted_and_clean(toy, tmp_path):
    rng = random.Random(1)
    paths = []
    for number in range(60):
        chosen = {key: rng.choice(values) for key, values in FEATURES.items()}
        flags = [f"{key}={value}" for key, value in chosen.items() if value is not None]
        try:
            text = compiled(toy, *flags).module
        except SpecError as error:
            raise AssertionError(flags) from error
        path = tmp_path / f"module_{number}.py"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    assert complaints(*paths) == ""


@pytest.mark.parametrize("name", VARIANTS)
def test_modules_of_variants_are_formatted_and_clean(toy, name, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(compiled(toy, *VARIANTS[name]).module, encoding="utf-8")
    assert complaints(path) == ""


def test_a_lock_compiles_to_the_same_bytes(toy, tmp_path):
    first = compiled(toy, "ppo.kl.target=6", "model.lora={rank: 2}")
    first.write(tmp_path / "one")
    again = compile_spec(resolve(tmp_path / "one" / "spec.lock.yaml"))
    assert (again.module, again.lock) == (first.module, first.lock)
    again.write(tmp_path / "two")
    for name in ("demonstrations", "preferences"):
        data = (tmp_path / "two" / "data" / f"{name}.jsonl").read_bytes()
        assert data == toy.with_name(f"{name}.jsonl").read_bytes()


def test_no_string_of_a_spec_becomes_code(toy):
    with pytest.raises(SpecError):
        compiled(toy, 'name=\'x"""; import os\'')
    folder = toy.parent / 'a"); import os; print("'
    folder.mkdir()
    sizes = {"n_embd": 8, "n_layer": 1, "n_head": 1, "vocab_size": 300, "n_positions": 64}
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", **sizes}))
    weights = {"wte": np.zeros((300, 8), np.float32), "h": np.zeros(999, np.float32)}
    save_file(weights, folder / "model.safetensors")
    (folder / "tokenizer.json").touch()
    text = compiled(toy, f"model={json.dumps({'id': str(folder)})}", "model.config=null").module
    nodes = list(ast.walk(ast.parse(text)))
    assert str(folder) in [node.value for node in nodes if isinstance(node, ast.Constant)]
    imports = [node for node in nodes if isinstance(node, ast.Import)]
    assert "os" not in {alias.name for node in imports for alias in node.names}


def test_golden_module(request):
    """`pytest --update-golden` rewrites it, for review as a diff."""
    text = compile_spec(resolve(ROOT / "specs" / "rlhf" / "tiny.yaml")).module
    path = ROOT / "tests" / "golden" / "tiny_rlhf.py"
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


# Another value for each key that a module depends on; `model.id` and the files are tried above.
OTHER = {
    "stages": "[sft, reward]",
    "model.config.architecture": "gpt_neox",
    "model.config.layers": "2",
    "model.config.heads": "1",
    "model.config.hidden_size": "64",
    "model.config.context": "64",
    "model.config.dropout": "0.1",
    "model.tokenizer": "{bpe: 300}",
    "model.dtype": "bfloat16",
    "model.lora": "{rank: 2}",
    "data.held_out": "0.3",
    "data.max_prompt_tokens": "13",
    "data.max_response_tokens": "25",
    "data.overlong": "drop",
    "sft.epochs": "1",
    "sft.batch_size": "8",
    "sft.loss_on": "all",
    "reward.start": "base",
    "reward.objective": "plackett-luce",
    "reward.margin": "0.1",
    "reward.center": "0.2",
    "reward.epochs": "1",
    "reward.batch_size": "8",
    "ppo.episodes": "32",
    "ppo.rollout_size": "32",
    "ppo.epochs": "3",
    "ppo.minibatch_size": "4",
    "ppo.generation.max_new_tokens": "15",
    "ppo.generation.temperature": "0.9",
    "ppo.generation.top_k": "9",
    "ppo.generation.top_p": "0.9",
    "ppo.kl.beta": "0.3",
    "ppo.kl.target": "3",
    "ppo.kl.estimator": "k2",
    "ppo.rewards.normalize": "false",
    "ppo.rewards.clip": "3",
    "ppo.rewards.missing_end": "-2",
    "ppo.advantage.gamma": "0.9",
    "ppo.advantage.lambda": "0.9",
    "ppo.advantage.whiten": "false",
    "ppo.losses.policy.objective": "ratio",
    "ppo.losses.policy.epsilon": "0.3",
    "ppo.losses.value.objective": "abs(V - R)",
    "ppo.losses.value.coefficient": "0.2",
    "ppo.losses.value.clip": "0.3",
    "ppo.losses.entropy.beta": "0.1",
    "ppo.value": "separate",
    "ppo.value_optimizer.lr": "1e-5",
    "ppo.target_kl": "0.1",
    "evaluation.prompts": "3",
    "evaluation.samples": "3",
    "evaluation.temperature": "0.5",
    "evaluation.every": "2",
    "training.seed": "2",
    "training.device": "cpu",
    "training.compile": "always",
    "training.checkpoint_every": "4",
    **{f"{stage}.optimizer.lr": "1e-5" for stage in ("sft", "reward", "ppo")},
    **{f"{stage}.optimizer.schedule": "linear" for stage in ("reward", "ppo")},
    **{f"{stage}.optimizer.warmup": "0.2" for stage in ("sft", "reward", "ppo")},
    **{f"{stage}.optimizer.epsilon": "1e-4" for stage in ("sft", "reward", "ppo")},
    **{f"{stage}.optimizer.weight_decay": "0.2" for stage in ("sft", "reward", "ppo")},
    **{f"{stage}.optimizer.max_grad_norm": "0.2" for stage in ("sft", "reward", "ppo")},
}
ELSEWHERE = {
    "ppoc", "kind", "name", "start.policy", "start.reward", "model.id", "model.revision",
    "data.demonstrations", "data.preferences", "data.prompts", "sft.optimizer.schedule",
    "ppo.kl.horizon",
    "ppo.losses.policy.parameters", "ppo.losses.value.parameters", "lock",
}  # fmt: skip


def leaves(value, path=()):
    """The paths of values that are no sections."""
    if not isinstance(value, dict) or path[-1:] == ("parameters",):
        return {".".join(path)}
    return {leaf for key, item in value.items() for leaf in leaves(item, (*path, key))}


def test_every_key_is_heard(toy):
    """A key that changed nothing would be ignored, which no key of a spec is."""
    spec = resolve(toy).spec
    assert leaves(spec.model_dump(by_alias=True)) == OTHER.keys() | ELSEWHERE
    before = compiled(toy).module
    deaf = [key for key, value in OTHER.items() if compiled(toy, f"{key}={value}").module == before]
    assert deaf == []
    adaptive = "ppo.kl={target: 3, horizon: 500}"
    assert compiled(toy, adaptive).module != compiled(toy, "ppo.kl.target=3").module
