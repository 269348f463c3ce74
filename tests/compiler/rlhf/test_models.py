"""Statements on models beforehand equal what transformers makes of them."""

import json

import pytest

from ppoc.compiler.batch import check
from ppoc.compiler.resolve import resolve_text
from ppoc.compiler.rlhf.memory import memory
from ppoc.compiler.rlhf.pretrained import new_sizes, sizes_of
from ppoc.compiler.rlhf.sizes import Sizes, parameters

transformers = pytest.importorskip("transformers")
CONFIGS = [
    ("gpt2", {"n_layer": 2, "n_head": 4, "n_embd": 32, "n_positions": 24}),
    ("gpt2", {"n_layer": 1, "n_head": 2, "n_embd": 16, "n_positions": 24, "n_inner": 40}),
    ("llama", {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32,
               "intermediate_size": 128, "max_position_embeddings": 24}),
    ("llama", {"num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
               "hidden_size": 32, "intermediate_size": 48, "max_position_embeddings": 24,
               "tie_word_embeddings": True}),
    ("gpt_neox", {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32,
                  "intermediate_size": 128, "max_position_embeddings": 24}),
]  # fmt: skip
SPEC = """\
ppoc: 1
kind: rlhf
stages: [sft]
model: {id: ./m}
data: {demonstrations: d.jsonl, max_prompt_tokens: 12, max_response_tokens: 12}
"""


@pytest.mark.parametrize(("architecture", "sizes"), CONFIGS)
def test_parameters_are_counted_as_transformers_has_them(architecture, sizes):
    config = transformers.AutoConfig.for_model(architecture, vocab_size=50, **sizes)
    model = transformers.AutoModelForCausalLM.from_config(config)
    told = sizes_of(json.loads(config.to_json_string(use_diff=False)))
    assert parameters(told) == sum(p.numel() for p in model.parameters())
    assert told.context == 24


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gpt_neox"])
def test_new_models_have_the_sizes_that_the_spec_says(architecture):
    text = SPEC.replace("id: ./m", f"config: {{architecture: {architecture}, hidden_size: 64}}")
    sizes = new_sizes(resolve_text(text, "spec.yaml"))
    assert sizes == (architecture, 2, 4, 64, 256, 4, 128, 258, architecture == "gpt2")


def test_memory_of_a_step_counted_by_hand():
    text = SPEC.replace("stages: [sft]", "stages: [ppo]\nstart: {policy: base, reward: r}")
    text += "ppo: {generation: {max_new_tokens: 8}, minibatch_size: 2, rollout_size: 4}\n"
    sizes = Sizes("gpt2", 1, 2, 4, 16, 2, 24, 10, tied=True)
    count = parameters(sizes)
    assert count == 10 * 4 + 24 * 4 + (12 * 16 + 13 * 4) + 8
    found = memory(resolve_text(text, "spec.yaml"), sizes)
    assert found.weights == 3 * 4 * count  # policy, reference and reward model
    assert found.gradients + found.moments == 3 * 4 * count
    assert found.cache == 4 * 20 * 1 * 2 * 4 * 4
    lora = text.replace("id: ./m", "id: ./m, lora: {rank: 1}")
    found = memory(resolve_text(lora, "spec.yaml"), sizes)
    assert found.weights == 2 * 4 * count  # the reference is the policy without its changes
    assert found.gradients < 4 * count / 2


def saved(folder, **changes):
    """A folder as transformers writes one."""
    config = transformers.AutoConfig.for_model("gpt2", vocab_size=50, **CONFIGS[0][1])
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text("{}")


def problems(tmp_path, text=SPEC):
    rows = [{"prompt": p, "response": p} for p in "ab"]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "spec.yaml").write_text(text)
    return [
        (d.code, d.message.replace(str(tmp_path), "…")) for d in check(tmp_path / "spec.yaml").found
    ]


def test_a_folder_is_looked_into(tmp_path):
    assert problems(tmp_path) == [("E415", "there is no model at …/m")]
    folder = tmp_path / "m"
    saved(folder)
    assert problems(tmp_path) == []
    (found,) = problems(tmp_path, SPEC.replace("prompt_tokens: 12", "prompt_tokens: 20"))
    assert found == ("E405", "prompts of 20 and responses of 12 tokens do not fit 24")
    (folder / "tokenizer.json").unlink()
    assert problems(tmp_path) == [("E415", "…/m has no tokenizer")]
    assert problems(tmp_path, SPEC.replace("./m", "./m, tokenizer: byte")) == []
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    missing = "…/m cannot be loaded: it has no weights as safetensors"
    assert ("E415", missing) in problems(tmp_path)
    for text in ("[]", "{", "[" * 100_000, ""):
        (folder / "config.json").write_text(text)
        ((code, message),) = problems(tmp_path)
        assert (code, "cannot be loaded: config.json: it " in message) == ("E415", True)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("config.json", {"n_layer": 1_000_000}, "`n_layer` is 1000000"),
        ("config.json", {"n_inner": 8192}, "and its weights have"),
        ("config.json", {"attn_implementation": "evil/kernels"}, "`attn_implementation` can load"),
        ("model.safetensors.index.json", {"weight_map": {"a": "../x.safetensors"}}, "beside it"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": "a.B"}}, "`auto_map` names code"),
    ],
)
def test_what_transformers_must_not_be_given_is_one_problem(tmp_path, name, changes, words):
    folder = tmp_path / "m"
    saved(folder)
    if "index" in name:
        (folder / "model.safetensors").unlink()
    path = folder / name
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **changes}))
    ((code, message),) = problems(tmp_path)
    assert code == "E415"
    assert words in message


def test_names_of_models(tmp_path):
    for name in ("gpt2", "org/model-1.5B"):
        assert problems(tmp_path, SPEC.replace("./m", name)) == []
    for name in ("../m", "/m", "a/b/c", "~/m", "'a b'", "'a\\nb'"):
        ((code, _),) = problems(tmp_path, SPEC.replace("./m", name))
        assert code == "E415"


def test_runs_that_a_spec_starts_from(tmp_path):
    lock = "ppoc: 1\nkind: rlhf\nname: a\nstages: [sft]\nmodel: {MODEL}\nlock: {format: 1}\n"
    lock += "data: {demonstrations: /d.jsonl}\n"
    text = SPEC.replace("[sft]", "[reward]\nstart: {policy: run}").replace("./m", "gpt2")
    text = text.replace("demonstrations", "preferences")
    (tmp_path / "run").mkdir()
    rows = [{"prompt": p, "chosen": "a", "rejected": "b"} for p in "ab"]

    def told(model, spec=text):
        (tmp_path / "run" / "spec.lock.yaml").write_text(lock.replace("MODEL", model))
        problems(tmp_path, spec)
        (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return [(d.code, d.message) for d in check(tmp_path / "spec.yaml").found]

    assert told("id: gpt2") == []
    assert told("id: gpt2, lora: {}")[0][0] == "E417"
    assert told("id: distilgpt2")[0][0] == "E417"
    own = text.replace("{id: gpt2}", "{config: {layers: 3}}") + "reward: {optimizer: {lr: 1e-3}}\n"
    assert told("config: {layers: 3}", own) == []
    ((code, message),) = told("config: {layers: 2}", own)
    assert code == "E417"
    assert "`config` is" in message
    assert told("id: 7")[0][0] == "E416"
