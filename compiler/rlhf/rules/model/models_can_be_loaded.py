"""E415: models and tokenizers in folders that cannot be loaded."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf.pretrained import sizes_of
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved, shown
from ppoc.compiler.rlhf.sizes import EXACT, parameters
from ppoc.formats.pretrained import check_fit, check_tokenizer, read_config, read_weights, reason
from ppoc.formats.reading import FormatError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
BACKENDS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "tokenizer.model")


@rule("E415", "model.id", "model.tokenizer", phase=Phase.PROBED)
def models_can_be_loaded(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    """`model.id`, its weights and its tokenizer."""
    named = resolved.spec.model.id
    if named is None:
        return
    folder = resolved.file("model", "id")
    if not folder.is_dir():
        yield from _not_here(resolved, named, folder)
        return
    try:
        config = read_config(folder)
    except (OSError, FormatError) as error:
        help = "save the model with `save_pretrained` of transformers again"
        message = f"{shown(folder)} cannot be loaded: {reason(error)}"
        yield _wrong(resolved, message, help)
        return
    yield from _weights(resolved, folder, config)
    yield from _tokenizer(resolved, folder)


@rule("E415", "model.tokenizer", phase=Phase.PROBED)
def tokenizers_can_be_loaded(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    """A folder of `model.tokenizer` with files that are none of a tokenizer."""
    if isinstance(resolved.spec.model.tokenizer, str):
        folder = resolved.file("model", "tokenizer")
        if folder.is_dir():
            yield from _tokenizer_files(resolved, "tokenizer", folder)


def _not_here(resolved: RlhfResolved, named: str, folder: Path) -> Iterator[Diagnostic]:
    if named.startswith((".", "/", "~")) or not HUB_ID.fullmatch(named):
        help = "give a folder, relative to this file, or the id of a model of the hub, such as gpt2"
        yield _wrong(resolved, f"there is no model at {shown(folder)}", help)


def _wrong(resolved: RlhfResolved, message: str, help: str) -> Diagnostic:
    return resolved.diagnostic("E415", ("model", "id"), message, help=help)


def _weights(
    resolved: RlhfResolved, folder: Path, config: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    """Weights that transformers cannot load, or that are of another model."""
    sizes, needed = sizes_of(config), None
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
    """No tokenizer where one is wanted, or files that are none."""
    if resolved.spec.model.tokenizer is not None:
        return
    if not any((folder / name).is_file() for name in BACKENDS):
        help = "add `tokenizer` to `model`, such as byte, or save the tokenizer beside the model"
        yield _wrong(resolved, f"{shown(folder)} has no tokenizer", help)
        return
    yield from _tokenizer_files(resolved, "id", folder)


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
