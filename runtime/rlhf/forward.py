"""Hidden states of the tokens one wants them for, with little computed for padding or twice."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

MOST_PARTS = 4  # in which the rows of a batch are run
LEAST_ROWS = 8  # of a part; fewer would leave matrix products short
WORTH_CUTTING = 0.9  # parts are made where they have at most this share of the whole's tokens
LEAST_SHARED = 0.4  # of a row: a beginning that is worth computing once for neighbours
# Models that can be told which token sees which; tests compare each with rows that run alone.
TAKE_MASKS = ("gpt2", "gpt_neox", "llama")


class Group(NamedTuple):
    """Rows that follow each other and begin with the same tokens; often it is one row."""

    rows: range
    shared: int  # tokens at their beginning
    width: int  # tokens to compute: the shared ones once, and the rest of each row


class Layout(NamedTuple):
    """Groups as rows of W tokens, and where the tokens of the batch are found in them."""

    rows: NDArray[np.int64]  # [G, W], the row of the batch that a token is of
    columns: NDArray[np.int64]  # [G, W], and its column, which is its position
    branches: NDArray[np.int64]  # [G, W], 0 for shared tokens, then 1 for the first row, …
    found: NDArray[np.int64]  # [3, S], a row of the batch, a column of it, its place in G · W


def hidden_states(trunk: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """Hidden states [R, H] of the R tokens of [B, L] that a mask [B, L] marks, row by row.

    A row is computed up to the last token that is marked in it. Neighbours that begin alike, such
    as the answers to one prompt, are run as one: their beginning once, and what comes after it in
    each. Rows of about the same length are run together, each part cut to its longest.
    """
    lengths = (tokens.shape[1] - mask.flip(1).int().argmax(1)).tolist()
    number = (mask.flatten().cumsum(0) - 1).view_as(mask)
    states, numbers = [], []
    for part in _parts(_groups(trunk, tokens, lengths)):
        rows, columns, branches, found = (
            torch.from_numpy(array).to(tokens.device) for array in _layout(part, lengths)
        )
        inputs: dict[str, Any] = {"input_ids": tokens[rows, columns], "use_cache": False}
        if any(len(group.rows) > 1 for group in part):
            # A token sees what is before it in its own row, which begins with the shared tokens.
            seen = (branches.unsqueeze(1) == branches.unsqueeze(2)) | (branches.unsqueeze(1) == 0)
            inputs |= {"attention_mask": seen.tril().unsqueeze(1), "position_ids": columns}
        computed = trunk(**inputs)[0].flatten(0, 1)
        row, column, place = found[:, mask[found[0], found[1]]]
        states.append(computed[place])
        numbers.append(number[row, column])
    return torch.cat(states)[torch.cat(numbers).argsort()]


def _groups(trunk: Any, tokens: Tensor, lengths: list[int]) -> list[Group]:
    """The rows in groups, from the shortest group to the longest."""
    alike = [0] * len(lengths)  # tokens at its beginning that a row has of the row before it
    if trunk.config.model_type in TAKE_MASKS:
        alike[1:] = (tokens[1:] == tokens[:-1]).cumprod(1).sum(1).tolist()
    found: list[tuple[range, int]] = []
    for row, length in enumerate(lengths):
        rows, shared = found[-1] if found else (range(0), 0)
        common = min(alike[row], shared, length)
        if common > LEAST_SHARED * max(length, lengths[row - 1]):
            found[-1] = (range(rows.start, row + 1), common)
        else:
            found.append((range(row, row + 1), length))
    groups = [
        Group(rows, shared, shared + sum(lengths[i] - shared for i in rows))
        for rows, shared in found
    ]
    return sorted(groups, key=lambda group: group.width)


def _parts(groups: list[Group]) -> list[list[Group]]:
    """Sorted groups in parts, where that saves enough padding."""
    count = len(groups)
    number = max(1, min(MOST_PARTS, count // LEAST_ROWS))
    parts = [groups[count * i // number : count * (i + 1) // number] for i in range(number)]
    cut = sum(len(part) * part[-1].width for part in parts)
    return parts if cut < WORTH_CUTTING * count * groups[-1].width else [groups]


def _layout(groups: Sequence[Group], lengths: list[int]) -> Layout:
    """Where the tokens of groups go: shared ones, then the rest of each row, then padding."""
    width = groups[-1].width
    rows, columns, branches = np.zeros((3, len(groups), width), np.int64)
    found = []
    for i, group in enumerate(groups):
        shared, place = group.shared, group.shared
        columns[i, :shared] = np.arange(shared)
        rows[i, :shared] = group.rows[0]
        for branch, row in enumerate(group.rows, start=1):
            rest = slice(place, place + lengths[row] - shared)
            rows[i, rest], branches[i, rest] = row, branch
            columns[i, rest] = np.arange(shared, lengths[row])
            own = np.arange(lengths[row])
            at = own + i * width + np.where(own < shared, 0, place - shared)
            found.append(np.stack([np.full_like(own, row), own, at]))
            place = rest.stop
    return Layout(rows, columns, branches, np.concatenate(found, 1))


def fuse_activations(model: nn.Module) -> None:
    """Put one kernel in the place of GPT-2's activation, which transformers has as seven."""
    from transformers.activations import NewGELUActivation

    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))
