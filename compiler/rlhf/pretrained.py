"""Models in folders, and the run folders that a spec starts from: what their files say."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.resolve import examine
from ppoc.compiler.rlhf.checks import lengths_within
from ppoc.compiler.rlhf.resolved import RlhfResolved, shown
from ppoc.compiler.rlhf.sizes import EXACT, Sizes, parameters
from ppoc.formats.pretrained import (
    SIZES,
    check_fit,
    check_tokenizer,
    read_config,
    read_weights,
    reason,
)
from ppoc.formats.reading import FormatError, open_regular

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
BACKENDS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "tokenizer.model")


def pretrained(resolved: RlhfResolved) -> tuple[Sizes | None, list[Diagnostic]]:
    """The sizes of the model that `model.id` names, if it is a folder here, and what is wrong."""
    named = resolved.spec.model.id
    if named is None:
        return None, []
    folder = resolved.file("model", "id")
    if not folder.is_dir():
        return None, list(_not_here(resolved, named, folder))
    try:
        config = read_config(folder)
    except (OSError, FormatError) as error:
        help = "save the model with `save_pretrained` of transformers again"
        message = f"{shown(folder)} cannot be loaded: {reason(error)}"
        return None, [_wrong(resolved, message, help)]
    sizes = sizes_of(config)
    found = [*_weights(resolved, folder, config, sizes), *_tokenizer(resolved, folder)]
    if sizes is not None and sizes.context:
        found += lengths_within(resolved, sizes.context)
    return sizes, found


def _not_here(resolved: RlhfResolved, named: str, folder: Path) -> Iterator[Diagnostic]:
    if named.startswith((".", "/", "~")) or not HUB_ID.fullmatch(named):
        help = "give a folder, relative to this file, or the id of a model of the hub, such as gpt2"
        yield _wrong(resolved, f"there is no model at {shown(folder)}", help)


def _wrong(resolved: RlhfResolved, message: str, help: str) -> Diagnostic:
    return resolved.diagnostic("E415", ("model", "id"), message, help=help)


def _weights(
    resolved: RlhfResolved, folder: Path, config: Mapping[str, Any], sizes: Sizes | None
) -> Iterator[Diagnostic]:
    """E415: weights that transformers cannot load, or that are of another model."""
    needed = None
    if sizes is not None and sizes.architecture in EXACT:
        needed = parameters(sizes) // 2  # it may go without biases, or have narrower heads
    try:
        check_fit(config, read_weights(folder), needed)
    except (OSError, FormatError) as error:
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        why = "its other files of weights are pickles, which can do anything when loaded"
        yield resolved.diagnostic(
            "E415",
            ("model", "id"),
            f"{shown(folder)} cannot be loaded: {reason(error)}",
            why=why if pickled else "",
            help="save it with transformers again",
        )


def _tokenizer(resolved: RlhfResolved, folder: Path) -> Iterator[Diagnostic]:
    """E415: no tokenizer where one is wanted, or files that are none."""
    if resolved.spec.model.tokenizer is not None:
        return
    if not any((folder / name).is_file() for name in BACKENDS):
        help = "add `tokenizer` to `model`, such as byte, or save the tokenizer beside the model"
        yield _wrong(resolved, f"{shown(folder)} has no tokenizer", help)
        return
    yield from _tokenizer_files(resolved, "id", folder)


def own_tokenizer(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    """E415: a folder of `model.tokenizer` with files that are none of a tokenizer."""
    if isinstance(resolved.spec.model.tokenizer, str):
        folder = resolved.file("model", "tokenizer")
        if folder.is_dir():
            yield from _tokenizer_files(resolved, "tokenizer", folder)


def _tokenizer_files(resolved: RlhfResolved, key: str, folder: Path) -> Iterator[Diagnostic]:
    try:
        check_tokenizer(folder)
    except (OSError, FormatError) as error:
        yield resolved.diagnostic(
            "E415",
            ("model", key),
            f"the tokenizer of {shown(folder)} cannot be loaded: {reason(error)}",
            help="save it with transformers again",
        )


def sizes_of(config: Mapping[str, Any]) -> Sizes | None:
    """Sizes that a config.json states; None where it has other names for them."""

    def number(*names: str, default: int = 0) -> int:
        for name in names:
            value = config.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9:
                return value
        return default

    width, layers = number("n_embd", "hidden_size"), number("n_layer", "num_hidden_layers")
    heads, vocabulary = number("n_head", "num_attention_heads"), number("vocab_size")
    if not (width and layers and heads and vocabulary):
        return None
    architecture = str(config.get("model_type"))
    tied = config.get("tie_word_embeddings", architecture == "gpt2") is True
    return Sizes(
        architecture,
        layers,
        heads,
        width,
        number("n_inner", "intermediate_size", default=4 * width),
        number("num_key_value_heads", default=heads),
        number(*SIZES["context"]),
        vocabulary,
        tied,
    )


def new_sizes(resolved: RlhfResolved) -> Sizes | None:
    """The sizes of a model that `model.config` makes."""
    config, tokenizer = resolved.spec.model.config, resolved.spec.model.tokenizer
    if config is None:
        return None
    vocabulary = 258  # bytes, end of text, padding
    if isinstance(tokenizer, dict):
        vocabulary = tokenizer["bpe"]
    elif tokenizer not in (None, "byte"):
        return None  # somebody else's, which is not looked into
    return Sizes(
        config.architecture,
        config.layers,
        config.heads,
        config.hidden_size,
        4 * config.hidden_size,
        config.heads,
        config.context,
        vocabulary,
        config.architecture == "gpt2",
    )


def starts(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    """E416, E417: run folders that stages start from, and whether their models fit this spec's."""
    start = resolved.spec.start
    for what, named in (("policy", start.policy), ("reward", start.reward)):
        if named is None or (what == "policy" and named == "base"):
            continue
        folder = resolved.file("start", what)
        other = examine(folder / "spec.lock.yaml", (), resolved.kinds)
        if other.failed or other.resolved is None:
            message = f"{shown(folder)} is no run folder, for its spec.lock.yaml is not one"
            help = "give a folder that `ppoc run` wrote, relative to this file"
            yield resolved.diagnostic("E416", ("start", what), message, help=help)
            continue
        if other.resolved.kind is not resolved.kind:
            message = f"{shown(folder)} is the run of an agent in an environment"
            help = "give the run folder of a spec of `kind: rlhf`"
            yield resolved.diagnostic("E416", ("start", what), message, help=help)
            continue
        yield from _fit(resolved, other.resolved, what, folder)


def _fit(resolved: RlhfResolved, other: Any, what: str, folder: Path) -> Iterator[Diagnostic]:
    """E417: another vocabulary, or weights of other shapes."""
    ours, theirs = vocabulary_of(resolved), vocabulary_of(other)
    if ours != theirs:
        yield resolved.diagnostic(
            "E417",
            ("start", what),
            f"the {what} of {folder.name} reads other tokens: {theirs}, not {ours}",
            why="token 17 of one vocabulary is another word in the other",
            help="set `model.tokenizer` (and `model.id`) as the run has them",
        )
    elif what == "policy" and resolved.spec.model != other.spec.model:
        mine, its = resolved.spec.model.model_dump(), other.spec.model.model_dump()
        keys = [key for key in mine if mine[key] != its[key] and key not in ("id", "tokenizer")]
        if keys:
            yield resolved.diagnostic(
                "E417",
                ("start", what),
                f"the policy of {folder.name} is another model: `{keys[0]}` is "
                f"{_short(its[keys[0]])}, not {_short(mine[keys[0]])}",
                why="its weights are loaded into this spec's model",
                help="set `model` as the run has it",
            )


def _short(value: Any) -> str:
    return json.dumps(value)[:100]


def vocabulary_of(resolved: RlhfResolved) -> str:
    """The vocabulary of a spec's models, in words that are the same for the same tokens."""
    model = resolved.spec.model
    if isinstance(model.tokenizer, dict):
        return f"{model.tokenizer['bpe']} byte pairs of {_digest(resolved)}"
    named = "tokenizer" if model.tokenizer is not None else "id"
    text = getattr(model, named)
    if text is None or text == "byte":
        return "bytes"
    folder = resolved.file("model", named)
    return str(folder.resolve()) if folder.is_dir() else str(text)


def _digest(resolved: RlhfResolved) -> str:
    """The demonstrations that byte pairs are learnt from, by their checksum: runs have copies."""
    if resolved.spec.data.demonstrations is None:
        start = resolved.spec.start.policy
        return "the policy's run" if start is not None else "nothing"
    try:
        with open_regular(resolved.file("data", "demonstrations"), follow=True) as file:
            return f"demonstrations {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
    except (OSError, FormatError):
        return "demonstrations that are not there"
