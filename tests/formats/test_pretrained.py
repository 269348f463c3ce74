"""Folders of pretrained models: what describes an architecture passes, and all else is named."""

import json
import os
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from ppoc.formats.pretrained import (
    CONFIG,
    INDEX,
    WEIGHTS,
    check_fit,
    check_tokenizer,
    read_config,
    read_weights,
)
from ppoc.formats.reading import FormatError

GPT2 = {
    "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
    "n_layer": 2, "n_head": 4, "n_embd": 16, "n_positions": 24, "n_inner": None, "vocab_size": 50,
    "layer_norm_epsilon": 1e-05, "transformers_version": "5.1.0.dev0", "_name_or_path": "/a/b",
    "task_specific_params": {"text-generation": {"prefix": "Say: "}}, "torch_dtype": "float32",
}  # fmt: skip
LLAMA = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 50, "rms_norm_eps": 1e-6,
    "max_position_embeddings": 131072, "rope_theta": 10**9, "pad_token_id": -1, "head_dim": 5,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0},
    "quantization_config": None, "_attn_implementation": "sdpa", "attention_bias": False,
}  # fmt: skip


def config_of(folder, **changes):
    (folder / CONFIG).write_text(json.dumps({**GPT2, **changes}))
    return read_config(folder)


@pytest.mark.parametrize("config", [GPT2, LLAMA, {"model_type": "odd", "d_model": 64}])
def test_architectures_pass(tmp_path, config):
    (tmp_path / CONFIG).write_text(json.dumps(config))
    assert read_config(tmp_path) == config


HOSTILE = {
    "code": {"auto_map": {"AutoModelForCausalLM": "odd.Model"}},
    "a kernel of a repository": {"attn_implementation": "evil/kernels"},
    "as it is saved": {"_attn_implementation": "kernels-community/flash-attn"},
    "within": {"text_config": {"deep": [{"_attn_implementation_internal": "evil/kernels"}]}},
    "by part": {"attn_implementation": {"": "sdpa", "text_config": "a/b:c"}},
    "another one": {"attn_implementation": "flash_attention_2"},
    "experts": {"experts_implementation": "evil/kernels"},
    "kernels": {"kernel_config": {"RMSNorm": "evil/kernels:RMSNorm"}},
    "quantised": {"quantization_config": {"quant_method": "awq", "modules": "x"}},
    "quantised within": {"text_config": {"quantization_config": {"quant_method": "gptq"}}},
    "compressed": {"compression_config": {"quant_method": "compressed-tensors"}},
    "other weights": {"transformers_weights": "../other.safetensors"},
    "a repository": {"backbone": "timm/resnet50"},
    "an address": {"anything": "https://example.org/x"},
    "a path": {"tokenizer": "/etc/passwd"},
    "a path within": {"vision": {"files": ["../../x"]}},
    "an attribute": {"__class__": "x"},
    "no key": {"a b": 1},
    "trust": {"trust_remote_code": True},
    "a million layers": {"n_layer": 1_000_000},
    "under another name": {"num_layers": 1_000_000},
    "within another": {"text_config": {"num_hidden_layers": 10**6}},
    "experts without number": {"num_local_experts": 10**6},
    "wide": {"n_embd": 10**9},
    "inner": {"n_inner": 10**9},
    "words": {"vocab_size": 10**9},
    "positions": {"n_positions": 10**9},
    "any number": {"anything": 10**30},
    "negative": {"n_layer": -1},
    "none": {"n_head": 0},
    "a float": {"n_embd": 16.0},
    "a text": {"vocab_size": "50"},
    "true": {"n_layer": True},
    "null": {"n_layer": None},
    "a list": {"n_embd": [16]},
    "NaN": {"n_embd": float("nan")},
    "heads": {"n_head": 3},
    "keys": {"num_key_value_heads": 3},
    "no type": {"model_type": None},
    "a type with a path": {"model_type": "../gpt2"},
}


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE)
def test_whatever_loads_or_is_no_size_is_named(tmp_path, changes):
    with pytest.raises(FormatError, match=r"config\.json: ") as error:
        config_of(tmp_path, **changes)
    (key,) = changes
    assert key in str(error.value) or changes in (HOSTILE["heads"], HOSTILE["keys"])
    assert len(str(error.value)) < 400


def test_files_that_are_none_are_refused(tmp_path):
    os.mkfifo(tmp_path / CONFIG)
    with pytest.raises(FormatError, match="not a regular file"):
        read_config(tmp_path)
    (tmp_path / CONFIG).unlink()
    with pytest.raises(OSError, match="No such file"):
        read_config(tmp_path)
    config_of(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(FormatError, match="adapter"):
        read_config(tmp_path)


def save(folder, name=WEIGHTS):
    tensors = {"wte": np.zeros((50, 16), np.float32), "h.0": np.zeros(7, np.float32)}
    save_file(tensors, folder / name)


def test_weights_are_those_of_their_headers(tmp_path):
    save(tmp_path)
    found = read_weights(tmp_path)
    assert found == (found.__class__)(2, 807, frozenset({50}))
    blob = tmp_path / "blobs"
    (tmp_path / WEIGHTS).rename(blob)
    (tmp_path / WEIGHTS).symlink_to("blobs")  # as in the cache of a model hub
    assert read_weights(tmp_path) == found
    config = config_of(tmp_path)
    check_fit(config, found, 807)
    for changes, needed, words in (
        ({"n_layer": 3}, None, "`n_layer` is 3, and there are 2 tensors"),
        ({"vocab_size": 51}, None, "`vocab_size` is 51, and no tensor"),
        ({}, 808, "808 numbers, and its weights have 807"),
    ):
        with pytest.raises(FormatError, match=words):
            check_fit({**config, **changes}, found, needed)


def header(text, body=b""):
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 2**63),
        header(b"{"),
        header(
            b'{"a": {"dtype": "F32", "shape": [1099511627776], "data_offsets": [0, 4]}}', b"1234"
        ),
        header(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 9]}}', b"1234"),
        header(b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}', b"1234"),
    ],
)
def test_made_up_headers_are_refused(tmp_path, content):
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(FormatError, match=r"model\.safetensors is damaged"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../x.safetensors", "/tmp/x.safetensors", "a/x.safetensors", "x.bin", "", ".safetensors"],
)
def test_an_index_names_files_beside_it_only(tmp_path, name):
    inner = tmp_path / "model"
    inner.mkdir()
    save(tmp_path, "x.safetensors")
    save(inner, "good.safetensors")
    places = {"wte": "good.safetensors"}
    (inner / INDEX).write_text(json.dumps({"weight_map": places}))
    assert read_weights(inner).tensors == 2
    (inner / INDEX).write_text(json.dumps({"weight_map": {**places, "b": name}}))
    with pytest.raises(FormatError, match="no safetensors file beside it"):
        read_weights(inner)


@pytest.mark.parametrize(
    "index", [{}, {"weight_map": {}}, {"weight_map": []}, {"weight_map": {"a": 3}}]
)
def test_an_index_that_is_none_is_refused(tmp_path, index):
    (tmp_path / INDEX).write_text(json.dumps(index))
    with pytest.raises(FormatError, match=INDEX):
        read_weights(tmp_path)


def test_a_weight_file_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / WEIGHTS)
    with pytest.raises(FormatError, match="not a regular file"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    "config",
    [{"auto_map": {"AutoTokenizer": ["a.B", None]}}, {"tokenizer_class": "../x.Y"},
     {"tokenizer_class": ["a"]}, {"trust_remote_code": True}],
)  # fmt: skip
def test_a_tokenizer_with_code_is_refused(tmp_path, config):
    plain = {"tokenizer_class": "GPT2Tokenizer", "chat_template": "{{ x.__class__ }}"}
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(plain))
    check_tokenizer(tmp_path)
    path.write_text(json.dumps({**plain, **config}))
    with pytest.raises(FormatError, match=next(iter(config))):
        check_tokenizer(tmp_path)


def test_a_tokenizer_without_measure_is_refused(tmp_path):
    with (tmp_path / "tokenizer.json").open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(FormatError, match="larger than"):
        check_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    os.mkfifo(tmp_path / "vocab.json")
    with pytest.raises(FormatError, match="not a regular file"):
        check_tokenizer(tmp_path)
