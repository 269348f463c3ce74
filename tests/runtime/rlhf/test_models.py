"""Models from folders that transformers wrote, and low-rank changes of them."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("transformers")
pytest.importorskip("peft")

from transformers import AutoConfig, AutoModelForCausalLM

from ppoc.runtime import rlhf
from ppoc.runtime.errors import RunError

SIZES = {
    "gpt2": {"n_layer": 1, "n_head": 2, "n_embd": 16, "n_positions": 32},
    "llama": {
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "hidden_size": 16, "intermediate_size": 32, "max_position_embeddings": 32,
    },
    "gpt_neox": {
        "num_hidden_layers": 1, "num_attention_heads": 1, "hidden_size": 16,
        "intermediate_size": 32, "max_position_embeddings": 32,
    },
}  # fmt: skip
TOKENS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.fixture(params=SIZES)
def saved_model(request, tmp_path):
    """A folder as `save_pretrained` writes it, and the model that is in it."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(request.param, vocab_size=20, **SIZES[request.param])
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model", model.eval()


def logits(lm):
    with torch.no_grad():
        return lm.eval()(input_ids=TOKENS).logits


def test_a_folder_gives_its_model(saved_model):
    folder, theirs = saved_model
    lm = rlhf.pretrained_model(str(folder), 20)
    torch.testing.assert_close(logits(lm), logits(theirs))
    hidden = rlhf.hidden_states(lm.base_model, TOKENS, torch.ones_like(TOKENS).bool())
    torch.testing.assert_close(lm.get_output_embeddings()(hidden), logits(theirs).flatten(0, 1))


def test_embeddings_grow_for_a_larger_vocabulary(saved_model):
    folder, theirs = saved_model
    lm = rlhf.pretrained_model(str(folder), 25)
    assert logits(lm).shape[-1] == 25
    torch.testing.assert_close(logits(lm)[..., :20], logits(theirs))


def test_pickled_weights_are_refused(saved_model):
    folder, model = saved_model
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(RunError, match="no weights as safetensors"):
        rlhf.pretrained_model(str(folder), 20)


def test_code_of_a_model_is_not_run(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(
        '{"model_type": "odd", "auto_map": {"AutoConfig": "odd.Odd", '
        '"AutoModelForCausalLM": "odd.Model"}}'
    )
    (folder / "odd.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (folder / "model.safetensors").touch()
    with pytest.raises(RunError, match="no causal language model"):
        rlhf.pretrained_model(str(folder), 20)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_layer": 1_000_000}, "`n_layer` is 1000000"),
        ({"n_layer": 2}, "numbers, and its weights have"),
        ({"n_inner": 4096}, "numbers, and its weights have"),
        ({"n_positions": 2**20}, "numbers, and its weights have"),
        ({"attn_implementation": "evil/kernels"}, "`attn_implementation` can load"),
        ({"model_type": "no-such-model"}, "no-such-model"),
        ({"n_head": 3}, "heads do not divide"),
        ({"activation_function": "no_such"}, "no_such"),
    ],
)
def test_sizes_that_the_weights_do_not_bear_out_are_refused(tmp_path, changes, words):
    config = AutoConfig.for_model("gpt2", vocab_size=20, **SIZES["gpt2"])
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(RunError, match=words):
        rlhf.pretrained_model(str(tmp_path), 20)


def test_weights_that_lack_a_tensor_are_refused(tmp_path):
    """Transformers would draw it at random, and warn."""
    config = AutoConfig.for_model("gpt2", vocab_size=20, **SIZES["gpt2"])
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    bias = next(name for name in tensors if name.endswith("ln_f.bias"))
    tensors["unused"] = tensors.pop(bias)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(RunError, match=r"its weights lack .*ln_f\.bias"):
        rlhf.pretrained_model(str(tmp_path), 20)


def test_a_model_of_a_hub_is_looked_into_as_well(saved_model, monkeypatch):
    folder, theirs = saved_model
    asked = []

    def cached_file(name, wanted, *, revision, **_):
        asked.append((name, wanted, revision))
        return str(folder / wanted) if (folder / wanted).exists() else None

    monkeypatch.setattr("transformers.utils.cached_file", cached_file)
    lm = rlhf.pretrained_model("org/model", 20, revision="main")
    torch.testing.assert_close(logits(lm), logits(theirs))
    assert asked[0] == ("org/model", "config.json", "main")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "a.B"}}))
    with pytest.raises(RunError, match=r"org/model: .*auto_map"):
        rlhf.pretrained_model("org/model", 20)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": 3}', '{"added_tokens": [{"id": -1}]}'])
def test_a_damaged_tokenizer_is_one_message(tmp_path, text):
    rlhf.Tokenizer(rlhf.byte_tokenizer()).inner.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(RunError, match="no tokenizer at"):
        rlhf.pretrained_tokenizer(str(tmp_path))


def test_a_token_of_a_huge_number_is_refused(tmp_path):
    rlhf.byte_tokenizer().save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["zz"] = 2**31
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(RunError, match=r"a token of the number 2,147,483,648"):
        rlhf.Tokenizer(rlhf.pretrained_tokenizer(str(tmp_path)))


def test_changes_of_low_rank(saved_model):
    folder, theirs = saved_model
    lm = rlhf.pretrained_model(str(folder), 20)
    rlhf.add_lora(lm, rank=2, alpha=4.0, dropout=0.0, targets=None, seed=1)
    torch.testing.assert_close(logits(lm), logits(theirs))  # they begin at nothing
    learns = rlhf.trained(lm)
    assert learns
    assert all("lora" in name for name in learns)
    with torch.no_grad():
        for parameter in lm.parameters():
            if parameter.requires_grad:
                parameter.normal_()
    changed = logits(lm)
    assert not torch.allclose(changed, logits(theirs))
    with rlhf.without_lora(lm):
        torch.testing.assert_close(logits(lm), logits(theirs))
    assert rlhf.trained(lm).keys() == learns.keys()
    kept = {name: tensor.clone() for name, tensor in rlhf.trained(lm).items()}

    other = rlhf.pretrained_model(str(folder), 20)
    rlhf.add_lora(other, rank=2, alpha=4.0, dropout=0.0, targets=None, seed=9)
    rlhf.load(other, kept)
    torch.testing.assert_close(logits(other), changed)
    rlhf.merge_lora(other)
    torch.testing.assert_close(logits(other), changed, atol=1e-4, rtol=1e-4)
    assert not any("lora" in name for name, _ in other.named_parameters())


def test_weights_of_another_model_are_refused(saved_model):
    folder, _ = saved_model
    lm = rlhf.pretrained_model(str(folder), 20)
    weights = {name: tensor.clone() for name, tensor in rlhf.trained(lm).items()}
    name = next(iter(weights))
    with pytest.raises(RunError, match="has shape"):
        rlhf.load(lm, weights | {name: torch.zeros(3)})
    with pytest.raises(RunError, match="the model has no extra"):
        rlhf.load(lm, weights | {"extra": torch.zeros(3)})


def test_byte_and_bpe_tokenizers_give_texts_back(tmp_path):
    texts = ["Hello, world!\n", "héllo 日本 \t x", "a" * 50]
    bpe = rlhf.bpe_tokenizer(texts * 3, 300)
    for inner in (rlhf.byte_tokenizer(), bpe):
        tokenizer = rlhf.Tokenizer(inner)
        for text in texts:
            assert tokenizer.text(tokenizer.response(text)) == text
            assert tokenizer.response(text)[-1] == tokenizer.end
    assert len(rlhf.byte_tokenizer()) == 258
    assert len(rlhf.Tokenizer(rlhf.byte_tokenizer()).prompt("日")) == 3
    assert 258 < len(bpe) <= 300
