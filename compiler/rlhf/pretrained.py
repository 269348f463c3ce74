"""Models in folders, and the run folders that a spec starts from: what their files say."""

import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

from ppoc.compiler.front.resolve import examine
from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.compiler.rlhf.resolved import RlhfResolved
from ppoc.compiler.rlhf.sizes import Sizes
from ppoc.formats.pretrained import SIZES, read_config
from ppoc.formats.reading import FormatError, open_regular

# Paths of the values that say how large the model is.
READS = (
    "model.id",
    "model.tokenizer",
    "model.config.architecture",
    "model.config.layers",
    "model.config.heads",
    "model.config.hidden_size",
    "model.config.context",
)


def known_sizes(resolved: RlhfResolved) -> Sizes | None:
    """The sizes of the model, where a folder here or the spec says them."""
    if resolved.spec.model.id is not None:
        folder = resolved.file("model", "id")
        with contextlib.suppress(OSError, FormatError):
            sizes = sizes_of(read_config(folder)) if folder.is_dir() else None
            if sizes is not None:
                return sizes
    return new_sizes(resolved)


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


def starts(resolved: RlhfResolved) -> dict[str, ResolvedSpec | None]:
    """Model → the spec of the run that it comes from; None where that is no run folder."""
    start = resolved.spec.start
    found: dict[str, ResolvedSpec | None] = {}
    for what, named in (("policy", start.policy), ("reward", start.reward)):
        if named is not None and not (what == "policy" and named == "base"):
            folder = resolved.file("start", what)
            other = examine(folder / "spec.lock.yaml", (), resolved.kinds)
            found[what] = None if other.failed else other.resolved
    return found


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
