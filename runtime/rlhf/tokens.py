"""Tokenizers, and texts as rows of tokens: [prompt, response, end], padded on the right."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ppoc.formats.pretrained import check_tokenizer
from ppoc.runtime.envs import Interrupted
from ppoc.runtime.failures import RunError
from ppoc.runtime.rlhf.data import Demonstration, Place, Prompt, Ranking

MAX_VOCABULARY = 2**24
END, PAD = "<|endoftext|>", "<|pad|>"


class Limits(NamedTuple):
    """How long texts may be, in tokens, and what is done with longer ones."""

    prompt: int
    response: int  # its end-of-text token included
    overlong: str  # error, drop or truncate


class Rows(NamedTuple):
    """Token rows of different lengths: prompts with responses."""

    tokens: list[list[int]]
    prompt_lengths: NDArray[np.int64]  # [N]
    lengths: NDArray[np.int64]  # [N], prompt and response

    def __len__(self) -> int:
        return len(self.tokens)


class Rankings(NamedTuple):
    """Ranked answers to prompts: the K answers of a ranking are rows that follow each other."""

    rows: Rows
    first: NDArray[np.int64]  # [N], the row of each ranking's best answer
    ranks: NDArray[np.int64]  # [N], K
    lengths: NDArray[np.int64]  # [N], of the longest answer with its prompt

    def __len__(self) -> int:
        return len(self.first)


class Padded(NamedTuple):
    """Some rows as tensors, cut to the longest of them."""

    tokens: Tensor  # [B, L], int64, padded on the right
    mask: Tensor  # [B, L], bool: tokens of the response, its end-of-text token among them
    lengths: Tensor  # [B], int64

    def to(self, device: torch.device) -> "Padded":
        return Padded(*(tensor.to(device, non_blocking=True) for tensor in self))


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
            RunError: it has no token that ends a text.
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
        tokens: list[int] = self.inner(text, verbose=False)["input_ids"]
        while tokens and tokens[-1] == self.end:  # some tokenizers end every text
            tokens.pop()
        return tokens or [self.end]

    def response(self, text: str) -> list[int]:
        """The tokens of a response, and the end of text."""
        tokens = self.inner(text, add_special_tokens=False, verbose=False)["input_ids"]
        return [*tokens, self.end]

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, up to the end of text."""
        tokens = list(tokens)
        if self.end in tokens:
            tokens = tokens[: tokens.index(self.end)]
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

    here = Path(name).is_dir()
    try:
        if here:
            check_tokenizer(Path(name))
        return AutoTokenizer.from_pretrained(
            name, revision=revision, trust_remote_code=False, local_files_only=here
        )
    except BaseException as error:  # transformers raises what it likes, Rust no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | Interrupted):
            raise
        raise RunError(f"no tokenizer at {name}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write a tokenizer's files into a folder that is there whole or not at all."""
    import shutil

    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    tokenizer.save_pretrained(part)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    part.rename(folder)


def encode_demonstrations(
    examples: Sequence[Demonstration], tokenizer: Tokenizer, limits: Limits
) -> Rows:
    """Demonstrations as rows.

    Raises:
        DataError: one is longer than the limits, and that is an error.
    """
    pairs = (
        _fitted(tokenizer.prompt(e.prompt), tokenizer.response(e.response), limits, e.place)
        for e in examples
    )
    return rows([pair for pair in pairs if pair is not None])


def encode_rankings(examples: Sequence[Ranking], tokenizer: Tokenizer, limits: Limits) -> Rankings:
    """Rankings as rows; an answer that is dropped drops its ranking.

    Raises:
        DataError: as `encode_demonstrations`.
    """
    kept: list[tuple[list[int], list[int]]] = []
    ranks: list[int] = []
    for example in examples:
        prompt = tokenizer.prompt(example.prompt)
        pairs = [
            _fitted(prompt, tokenizer.response(text), limits, example.place)
            for text in example.responses
        ]
        whole = [pair for pair in pairs if pair is not None]
        if len(whole) == len(pairs):
            kept += whole
            ranks.append(len(whole))
    all_rows, count = rows(kept), np.array(ranks, np.int64)
    first = count.cumsum() - count
    longest = np.maximum.reduceat(all_rows.lengths, first) if ranks else count
    return Rankings(all_rows, first, count, longest)


def encode_prompts(
    examples: Sequence[Prompt], tokenizer: Tokenizer, limits: Limits
) -> list[list[int]]:
    """Prompts as tokens.

    Raises:
        DataError: as `encode_demonstrations`.
    """
    pairs = (_fitted(tokenizer.prompt(e.prompt), [], limits, e.place) for e in examples)
    return [pair[0] for pair in pairs if pair is not None]


def _fitted(
    prompt: list[int], response: list[int], limits: Limits, place: Place
) -> tuple[list[int], list[int]] | None:
    """A prompt and a response within the limits; None where it is dropped."""
    for what, tokens, most in (
        ("prompt", prompt, limits.prompt),
        ("response", response, limits.response),
    ):
        if len(tokens) > most and limits.overlong == "error":
            raise place.fault(
                f"the {what} has {len(tokens)} tokens, and data.max_{what}_tokens is {most}; raise "
                "it, shorten the text, or set data.overlong to drop or truncate"
            )
    if limits.overlong == "drop" and (
        len(prompt) > limits.prompt or len(response) > limits.response
    ):
        return None
    # A prompt loses its beginning, a response its end and with it the end of text.
    return prompt[-limits.prompt :], response[: limits.response]


def rows(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Rows:
    """Prompts and responses, joined."""
    return Rows(
        [[*prompt, *response] for prompt, response in pairs],
        np.array([len(prompt) for prompt, _ in pairs], np.int64),
        np.array([len(prompt) + len(response) for prompt, response in pairs], np.int64),
    )


def pad(rows: Rows, indices: Sequence[int] | NDArray[np.int64], fill: int) -> Padded:
    """The rows at `indices` as tensors, on the CPU."""
    lengths = rows.lengths[indices]
    tokens = np.full((len(lengths), lengths.max()), fill, np.int64)
    for row, index in zip(tokens, indices, strict=True):
        row[: rows.lengths[index]] = rows.tokens[index]
    position = np.arange(tokens.shape[1])
    mask = (position >= rows.prompt_lengths[indices, None]) & (position < lengths[:, None])
    return Padded(torch.from_numpy(tokens), torch.from_numpy(mask), torch.from_numpy(lengths))


def pad_rankings(
    rankings: Rankings, indices: NDArray[np.int64], fill: int, device: torch.device
) -> tuple[Padded, Tensor]:
    """The answers of the rankings at `indices`, one after another, and how many each has, [B]."""
    chosen = [
        np.arange(first, first + ranks)
        for first, ranks in zip(rankings.first[indices], rankings.ranks[indices], strict=True)
    ]
    padded = pad(rankings.rows, np.concatenate(chosen), fill).to(device)
    return padded, torch.from_numpy(rankings.ranks[indices]).to(device)


def by_ranking(scores: Tensor, ranks: Tensor) -> Tensor:
    """Scores of answers one after another as [B, K], with zeros where a ranking is shorter."""
    most = int(ranks.max())
    there = torch.arange(most, device=ranks.device) < ranks.unsqueeze(-1)
    ranked: Tensor = scores.new_zeros(there.shape).masked_scatter(there, scores)
    return ranked


def pair_accuracy(scores: Tensor, ranks: Tensor) -> Tensor:
    """The share of pairs of which the better one scores higher, [], the mean over rankings.

    Args:
        scores: [B, K], the best answer first, as `by_ranking` gives them.
        ranks: [B].
    """
    better, worse = torch.triu_indices(scores.shape[1], scores.shape[1], 1, device=scores.device)
    there = worse < ranks.unsqueeze(-1)
    right = (scores[:, better] > scores[:, worse]) & there
    accuracy: Tensor = (right.sum(-1) / there.sum(-1)).mean()
    return accuracy


def draw(prompts: Sequence[list[int]], count: int, iteration: int, seed: int) -> list[list[int]]:
    """The prompts of an iteration: `count` of them, going through all again and again at random."""
    positions = np.arange(iteration * count, (iteration + 1) * count)
    passes, places = np.divmod(positions, len(prompts))
    orders = {
        number: np.random.default_rng((seed, 0xA5, number)).permutation(len(prompts))
        for number in set(passes.tolist())
    }
    return [prompts[orders[n][at]] for n, at in zip(passes.tolist(), places, strict=True)]


def shuffled(
    lengths: NDArray[np.int64], size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """All indices once, in random batches of rows of about the same length.

    Rows are shuffled, sorted by length within stretches of 32 batches, and the batches shuffled:
    little padding, and yet other company for a row each time. One batch may be smaller.
    """
    order = rng.permutation(len(lengths))
    stretch = 32 * size
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(order), stretch):
        part = order[start : start + stretch]
        part = part[np.argsort(lengths[part], kind="stable")]
        found += [part[i : i + size] for i in range(0, len(part), size)]
    return [found[index] for index in rng.permutation(len(found))]


def in_order(lengths: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """All indices in batches by length, for evaluation."""
    order = np.argsort(lengths, kind="stable")
    edges = [*range(0, len(order), size), len(order)]
    for start, end in pairwise(edges):
        yield order[start:end]
