"""Folders of pretrained language models, as transformers writes them: what may stand in them.

A configuration is data, but not for transformers: keys of it name code, other repositories, files
anywhere, and sizes for which memory is asked before any weight is read. So only what describes an
architecture passes here, and it must fit the weights beside it.
"""

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppoc.formats.documents import Document, read_document
from ppoc.formats.reading import FormatError

CONFIG, INDEX, WEIGHTS = "config.json", "model.safetensors.index.json", "model.safetensors"
MAX_CONFIG = 10_000_000  # bytes
MAX_TOKENIZER = 200_000_000  # bytes of one of its files
MAX_FILES = 1_000  # of weights
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "tokenizer.model",
    "vocab.txt",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)

# Texts of a configuration are names, not paths, addresses or repositories; these are notes.
NAME = re.compile(r"[\w.+-]{0,200}", re.ASCII)
NOTES = frozenset(
    {"_name_or_path", "name_or_path", "task_specific_params", "id2label", "label2id", "license"}
)
# Keys that load code, other files or other models, with their values that do not.
LOADING: Mapping[str, tuple[Any, ...]] = {
    "auto_map": (None, {}),
    "custom_pipelines": (None, {}),
    "quantization_config": (None,),
    "compression_config": (None,),
    "transformers_weights": (None,),
    "trust_remote_code": (None, False),
    "use_kernels": (None, False),
    "kernel_config": (None,),
    "attn_implementation": (None, "eager", "sdpa"),
    "_attn_implementation": (None, "eager", "sdpa"),
    "_attn_implementation_internal": (None, "eager", "sdpa"),
    "experts_implementation": (None, "eager"),
    "_experts_implementation": (None, "eager"),
    "_experts_implementation_internal": (None, "eager"),
}
# Whole numbers by a part of their keys; of several, the first that fits.
LARGEST = {"layer": 2_000, "block": 2_000, "head_dim": 2**16, "head": 2**14, "expert": 2**14}
WIDEST = 2**24
NUMBER = 2**40  # of any other, such as the base of rotary embeddings
SIZES = {
    "layers": ("n_layer", "num_hidden_layers"),
    "heads": ("n_head", "num_attention_heads"),
    "hidden": ("n_embd", "hidden_size"),
    "inner": ("n_inner", "intermediate_size"),
    "keys": ("num_key_value_heads",),
    "vocabulary": ("vocab_size",),
    "context": ("n_positions", "max_position_embeddings", "n_ctx", "max_seq_len"),
}
OPTIONAL = ("inner", "keys")  # null is a value of these


@dataclass(frozen=True)
class Weights:
    """Tensors of a folder, as the headers of its safetensors files have them."""

    tensors: int
    numbers: int  # in all tensors
    rows: frozenset[int]  # first sizes of matrices


def read_config(folder: Path) -> Document:
    """The configuration of a folder with a model, which transformers can be given.

    Raises:
        OSError: it cannot be read.
        FormatError: it has more in it than the description of an architecture, or sizes that are
            none; the text names the key.
    """
    config = _document(folder / CONFIG)
    if (folder / "adapter_config.json").exists():
        raise FormatError("it is an adapter of another model: merge it into that one first")
    for problem in _problems(config, ()):
        raise FormatError(f"{CONFIG}: {problem}")
    for problem in _misfits(config):
        raise FormatError(f"{CONFIG}: {problem}")
    return config


def _problems(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """The faults of a value, at any depth, as a description of an architecture."""
    key = path[-1] if path else ""
    name = f"`{'.'.join(path)[:200]}`"
    if key in LOADING:
        if not any(type(value) is type(x) and value == x for x in LOADING[key]):
            yield f"{name} can load what is not in this folder: remove it"
        return
    if key in NOTES:
        return
    if isinstance(value, dict):
        for inner, item in value.items():
            if not NAME.fullmatch(inner) or inner.startswith("__"):
                yield f"{inner[:80]!r} is no key of a configuration: remove it"
            else:
                yield from _problems(item, (*path, inner))
    elif isinstance(value, list):
        for item in value:
            yield from _problems(item, path)
    elif isinstance(value, str) and not NAME.fullmatch(value):
        yield f"{name} is {value[:80]!r}, where a name is expected: remove it"
    elif type(value) is int:
        yield from _number(name, key, value)


def _number(name: str, key: str, value: int) -> Iterator[str]:
    part = next((part for part in LARGEST if part in key), None)
    wide = any(part in key for part in ("size", "embd", "inner", "position", "_dim", "d_model"))
    most = LARGEST[part] if part else WIDEST if wide else NUMBER
    if abs(value) > most:
        yield f"{name} is {value if abs(value) < 10**18 else 'huge'}, and {most} at most"


def _misfits(config: Mapping[str, Any]) -> Iterator[str]:
    """Sizes that are no sizes, or do not fit each other."""
    if not isinstance(config.get("model_type"), str):
        yield "`model_type` does not name an architecture"
    found: dict[str, int] = {}
    for what, names in SIZES.items():
        for name in names:
            value = config.get(name)
            if name not in config or (value is None and what in OPTIONAL):
                continue
            if type(value) is not int or value < 1:
                yield f"`{name}` is {str(value)[:80]!r}, and a whole number above 0"
                return
            found.setdefault(what, value)
    heads = found.get("heads", 1)
    if found.get("hidden", heads) % heads and config.get("head_dim") is None:
        yield f"{heads} heads do not divide the {found['hidden']} of the hidden states"
    if heads % found.get("keys", 1):
        yield f"{found['keys']} heads of keys and values do not divide {heads} heads"


def read_weights(folder: Path) -> Weights:
    """The tensors of the files that transformers would load, by their headers.

    Raises:
        OSError: a file cannot be read.
        FormatError: there are none as safetensors, a file is damaged, no regular one, or not in the
            folder; or they are not the index's.
    """
    from safetensors import SafetensorError, safe_open

    tensors, numbers, rows = 0, 0, set()
    for path in (folder / name for name in weight_names(folder)):
        try:
            with safe_open(_file(path), framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 - no mapping
                    shape = file.get_slice(name).get_shape()
                    size = 1
                    for length in shape:
                        size *= length
                    tensors, numbers = tensors + 1, numbers + size
                    if len(shape) == 2:
                        rows.add(shape[0])
        except SafetensorError as error:
            raise FormatError(f"{path.name} is damaged: {str(error)[:200]}") from None
    return Weights(tensors, numbers, frozenset(rows))


def weight_names(folder: Path) -> list[str]:
    """The names of the files of weights that transformers would load.

    Raises:
        OSError, FormatError: as `read_weights`.
    """
    if (folder / WEIGHTS).exists():
        return [WEIGHTS]
    if not (folder / INDEX).exists():
        raise FormatError("it has no weights as safetensors")
    places = _document(folder / INDEX).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise FormatError(f"{INDEX} has no `weight_map`")
    names = sorted({str(name) for name in places.values()})
    if len(names) > MAX_FILES:
        raise FormatError(f"{INDEX} names more than {MAX_FILES:,} files")
    for name in names:
        if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", name, re.ASCII):
            raise FormatError(
                f"{INDEX} names {name[:80]!r}, which is no safetensors file beside it"
            )
    return names


def check_fit(config: Mapping[str, Any], weights: Weights, needed: int | None = None) -> None:
    """Refuse sizes that the weights do not bear out, before memory is taken for them.

    Args:
        needed: numbers of the model that the configuration describes, where they are known.

    Raises:
        FormatError: there are more layers than tensors, no matrix for the vocabulary, or fewer
            numbers than the model has.
    """
    for name in SIZES["layers"]:
        if config.get(name, 0) > weights.tensors:
            raise FormatError(
                f"{CONFIG}: `{name}` is {config[name]}, and there are {weights.tensors} tensors"
            )
    vocabulary = config.get("vocab_size")
    if vocabulary is not None and vocabulary not in weights.rows:
        raise FormatError(f"{CONFIG}: `vocab_size` is {vocabulary}, and no tensor has so many rows")
    if needed is not None and needed > weights.numbers:
        raise FormatError(
            f"{CONFIG} describes a model of {needed:,} numbers, and its weights have "
            f"{weights.numbers:,}"
        )


def check_tokenizer(folder: Path) -> None:
    """Refuse files of a tokenizer that are too large, no files, or name code.

    Chat templates are programs of Jinja: they are not rendered.

    Raises:
        OSError: one cannot be read.
        FormatError: it is not as it must be; the text names the file.
    """
    for name in TOKENIZER_FILES:
        path = folder / name
        if not path.exists() and not path.is_symlink():
            continue
        if _file(path).stat().st_size > MAX_TOKENIZER:
            raise FormatError(f"{name} is larger than {MAX_TOKENIZER:,} bytes")
        if name == "tokenizer_config.json":
            _check_tokenizer_config(_document(path))


def _check_tokenizer_config(config: Mapping[str, Any]) -> None:
    for key in ("auto_map", "trust_remote_code", "custom_pipelines"):
        if config.get(key):
            raise FormatError(f"tokenizer_config.json: `{key}` names code: remove it")
    for key in ("tokenizer_class", "backend", "processor_class"):
        if not NAME.fullmatch(str(config.get(key))):
            raise FormatError(f"tokenizer_config.json: `{key}` names no class: remove it")


def reason(error: OSError | FormatError) -> str:
    """Why a file cannot be taken, with its name."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{Path(error.filename).name}: {error.strerror}"
    return str(error)


def _document(path: Path) -> Document:
    file = _file(path)
    try:
        return read_document(file, MAX_CONFIG)
    except FormatError as error:
        raise FormatError(f"{path.name}: {error}") from None


def _file(path: Path) -> Path:
    """A regular file, by its own path: a cache of a model hub has links to its files.

    Raises:
        OSError: it is missing.
        FormatError: it is none, such as a pipe, which would be waited for.
    """
    found = path.resolve(strict=True)
    if not stat.S_ISREG(found.stat().st_mode):
        raise FormatError(f"{path.name}: it is not a regular file")
    return found
