"""Causal language models of transformers: made, loaded, given LoRA adapters, and saved.

Weights come as safetensors only, and no model brings code of its own.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ppoc.formats.pretrained import (
    CONFIG,
    INDEX,
    WEIGHTS,
    check_fit,
    read_config,
    read_weights,
    weight_names,
)
from ppoc.formats.reading import FormatError
from ppoc.runtime.errors import RunError
from ppoc.runtime.rlhf.forward import fuse_activations

MAX_BUFFERS = 2**29  # numbers
ATTENTION_AND_MLP = {
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "gpt_neox": ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
}


def new_model(
    architecture: str,
    *,
    layers: int,
    heads: int,
    hidden_size: int,
    context: int,
    vocabulary: int,
    dropout: float,
    seed: int,
) -> nn.Module:
    """A causal language model with random weights.

    Args:
        architecture: gpt2, llama or gpt_neox.
        context: the most positions of a text.
        vocabulary: how many tokens there are.
        seed: the same seed gives the same weights.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    common = {"vocab_size": vocabulary, "bos_token_id": None, "eos_token_id": None}
    if architecture == "gpt2":
        sizes: dict[str, Any] = {
            "n_layer": layers, "n_head": heads, "n_embd": hidden_size, "n_positions": context,
            "resid_pdrop": dropout, "embd_pdrop": dropout, "attn_pdrop": dropout,
        }  # fmt: skip
    else:
        sizes = {
            "num_hidden_layers": layers, "num_attention_heads": heads, "hidden_size": hidden_size,
            "intermediate_size": 4 * hidden_size, "max_position_embeddings": context,
            "attention_dropout": dropout,
        }  # fmt: skip
        if architecture == "gpt_neox":
            sizes["hidden_dropout"] = dropout
    torch.manual_seed(seed)
    config = AutoConfig.for_model(architecture, **common, **sizes)
    return _plain(AutoModelForCausalLM.from_config(config))


def pretrained_model(name: str, vocabulary: int, revision: str | None = None) -> nn.Module:
    """The causal language model of a local folder, or of a model hub's id, in float32.

    Its embeddings grow where the tokenizer has more tokens than they.

    Raises:
        RunError: there is none, its weights are not safetensors, it needs code of its own, or its
            configuration has sizes that its weights do not bear out.
    """
    from transformers import AutoModelForCausalLM

    try:
        folder = _folder(name, revision)
        config = read_config(folder)
        weights = read_weights(folder)
        check_fit(config, weights)
        check_fit(config, weights, _numbers(folder))
        model, report = AutoModelForCausalLM.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        if report["missing_keys"]:
            raise FormatError(f"its weights lack {min(report['missing_keys'])}")
    except Exception as error:  # transformers raises what it likes
        first = str(error).strip().partition("\n")[0]
        raise RunError(f"no causal language model at {name}: {first}") from error
    if model.get_input_embeddings().num_embeddings < vocabulary:
        model.resize_token_embeddings(vocabulary, mean_resizing=False)
    return _plain(model)


def _folder(name: str, revision: str | None) -> Path:
    """Where the files of a model are: a folder here, or what is fetched of a model hub."""
    if Path(name).is_dir():
        return Path(name)
    from transformers.utils import cached_file

    fetched = Path(cached_file(name, CONFIG, revision=revision)).parent
    if not (fetched / WEIGHTS).exists():
        index = cached_file(
            name, INDEX, revision=revision, _raise_exceptions_for_missing_entries=False
        )
        for wanted in weight_names(fetched) if index else (WEIGHTS,):
            cached_file(name, wanted, revision=revision)
    return fetched


def _numbers(folder: Path) -> int:
    """Numbers in the parameters of the model that a folder describes; none of them is made.

    Raises:
        FormatError: what it computes beside them, such as masks, takes gigabytes.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    beside = sum(tensor.numel() for tensor in model.buffers())
    if beside > MAX_BUFFERS:
        raise FormatError(f"{CONFIG} describes a model with buffers of {beside:,} numbers")
    return sum(tensor.numel() for tensor in model.parameters())


def _plain(model: Any) -> nn.Module:
    model.config.use_cache = False
    fuse_activations(model)
    trained: nn.Module = model.train()
    return trained


def trunk(lm: Any) -> nn.Module:
    """The model without its last layer: from tokens [B, L] to hidden states."""
    found: nn.Module = lm.base_model
    return found


# ── LoRA ──────────────────────────────────────────────────────────────────────────────────────────


def add_lora(
    lm: Any, *, rank: int, alpha: float, dropout: float, targets: Sequence[str] | None, seed: int
) -> Any:
    """Freeze a model and give it low-rank adapters to learn, in place (Hu et al. 2022).

    Args:
        targets: names of the linear layers; None for those of attention and MLP.

    Raises:
        RunError: the model has none of these layers.
    """
    from peft import LoraConfig, inject_adapter_in_model

    wanted = list(targets) if targets else ATTENTION_AND_MLP.get(lm.config.model_type, "all-linear")
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=wanted, bias="none",
        fan_in_fan_out=lm.config.model_type == "gpt2", task_type="CAUSAL_LM",
    )  # fmt: skip
    torch.manual_seed(seed)
    lm.requires_grad_(False)
    try:
        inject_adapter_in_model(config, lm)
    except ValueError as error:
        raise RunError(f"no LoRA for this model: {error}") from error
    return lm


def merge_lora(lm: Any) -> None:
    """Add the adapters to the weights they adapt, and take them out of the model, in place."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(lm.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge()
            lm.set_submodule(name, layer.get_base_layer())
    del lm.peft_config  # what peft notes of adapters that are there


@contextlib.contextmanager
def without_lora(lm: nn.Module) -> Iterator[None]:
    """The model as it was before its adapters learnt anything, for a while."""
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [layer for layer in lm.modules() if isinstance(layer, LoraLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


# ── What is saved ─────────────────────────────────────────────────────────────────────────────────


def trained(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that learn, by name; tied ones once."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def load(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put saved parameters into a model.

    Raises:
        RunError: the names or the shapes are not those of the parameters that learn.
    """
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    odd = sorted(own.keys() ^ tensors.keys())
    if odd:
        where = "the checkpoint has no" if odd[0] in own else "the model has no"
        raise RunError(f"the checkpoint is of another model: {where} {odd[0]}")
    for name, parameter in own.items():
        if parameter.shape != tensors[name].shape:
            raise RunError(
                f"the checkpoint is of another model: {name} has shape "
                f"{tuple(tensors[name].shape)}, not {tuple(parameter.shape)}"
            )
        with torch.no_grad():
            parameter.copy_(tensors[name])


def adamw(
    groups: Iterable[tuple[Iterable[nn.Parameter], float]],
    *,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.AdamW:
    """AdamW over groups of parameters, each with its learning rate (Loshchilov and Hutter 2019).

    Parameters that do not learn are left out.
    """
    parts = [
        {"params": [p for p in parameters if p.requires_grad], "lr": rate, "initial_lr": rate}
        for parameters, rate in groups
    ]
    return torch.optim.AdamW(parts, eps=epsilon, weight_decay=weight_decay, fused=True)


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The tensors an optimiser keeps, by the number of the parameter."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{key}": value for i, part in state.items() for key, value in part.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_state` gave.

    Raises:
        RunError: it is of other parameters.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        index = int(number)
        shape = tensor.shape
        if index >= len(parameters) or (shape and shape != parameters[index].shape):
            raise RunError(f"the checkpoint's optimiser is of another model: {name}")
        state.setdefault(index, {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
