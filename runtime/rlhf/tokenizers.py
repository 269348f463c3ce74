"""Tokenizers: made, learnt, loaded from files that may be anybody's, and saved."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ppoc.formats.folders import check_files, remove
from ppoc.formats.pretrained import check_tokenizer
from ppoc.runtime.envs.vector import Interrupted
from ppoc.runtime.errors import RunError

MAX_VOCABULARY = 2**24
END, PAD = "<|endoftext|>", "<|pad|>"


class Tokenizer:
    """A Hugging Face tokenizer, as the stages use it.

    Attributes:
        end: the token that ends a text.
        pad: the token that fills rows up; it is masked, so which one it is does not matter.
        vocabulary: how many tokens there are.
    """

    def __init__(self, inner: Any) -> None:
        """Wrap a tokenizer of transformers.

        Raises:
            RunError: it has no token that ends a text, or one of too large a number.
        """
        if inner.eos_token_id is None:
            raise RunError("the tokenizer has no end-of-text token (eos_token), and needs one")
        self.inner = inner
        self.end: int = inner.eos_token_id
        self.pad: int = self.end if inner.pad_token_id is None else inner.pad_token_id
        self.vocabulary = len(inner)
        largest = max(inner.get_vocab().values(), default=0)
        if largest >= MAX_VOCABULARY:
            raise RunError(f"the tokenizer has a token of the number {largest:,}")

    def prompt(self, text: str) -> list[int]:
        """The tokens of a prompt, as the tokenizer begins a text; one at least."""
        with _readable("the tokenizer cannot read a text"):
            tokens: list[int] = self.inner(text, verbose=False)["input_ids"]
        while tokens and tokens[-1] == self.end:  # some tokenizers end every text
            tokens.pop()
        return tokens or [self.end]

    def response(self, text: str) -> list[int]:
        """The tokens of a response, and the end of text."""
        with _readable("the tokenizer cannot read a text"):
            tokens = self.inner(text, add_special_tokens=False, verbose=False)["input_ids"]
        return [*tokens, self.end]

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, up to the end of text."""
        tokens = list(tokens)
        if self.end in tokens:
            tokens = tokens[: tokens.index(self.end)]
        with _readable("the tokenizer cannot write a text"):
            return str(self.inner.decode(tokens))


def byte_tokenizer() -> Any:
    """A tokenizer whose tokens are bytes, the end of text, and padding."""
    from tokenizers.pre_tokenizers import ByteLevel

    vocabulary = {token: index for index, token in enumerate(sorted(ByteLevel.alphabet()))}
    return _byte_level(vocabulary, [])


def bpe_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """Byte-pair encoding with `vocabulary` tokens, learnt from texts (Sennrich et al. 2016).

    Raises:
        RunError: fewer tokens are asked for than there are bytes.
    """
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer

    if vocabulary < 258:
        raise RunError(f"a bpe tokenizer has at least 258 tokens, not {vocabulary}")
    tokenizer = _byte_level({}, [])
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, PAD],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    backend = tokenizer.backend_tokenizer
    backend.train_from_iterator(texts, trainer)
    return _wrapped(backend)


def _byte_level(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers

    backend = Backend(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    backend.decoder = decoders.ByteLevel()
    if vocabulary:
        backend.add_special_tokens([END, PAD])
    return _wrapped(backend)


def _wrapped(backend: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=END,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
    )


def pretrained_tokenizer(name: str, revision: str | None = None) -> Any:
    """The tokenizer of a local folder, or of a model hub's id; none that brings code of its own.

    Raises:
        RunError: there is none, or it cannot be had from here.
    """
    from transformers import AutoTokenizer

    with _readable(f"no tokenizer at {name}"):
        here = Path(name).is_dir()
        if here:
            check_tokenizer(Path(name))
            check_files(Path(name))
        return AutoTokenizer.from_pretrained(
            name, revision=revision, trust_remote_code=False, local_files_only=here
        )


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    """Whatever a library makes of a tokenizer's files, which may be anybody's, is one message."""
    try:
        yield
    except BaseException as error:  # transformers raises what it likes, Rust no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | Interrupted):
            raise
        raise RunError(f"{what}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write a tokenizer's files into a folder that is there whole or not at all."""
    part = folder.with_name(f".{folder.name}.part")
    remove(part)
    tokenizer.save_pretrained(part)
    remove(folder)
    part.rename(folder)
