"""Hidden states of the tokens one wants them for, with little computed for padding."""

from itertools import pairwise

import torch
from torch import Tensor, nn

MOST_PARTS = 4  # in which the rows of a batch are run
LEAST_ROWS = 8  # of a part; fewer would leave matrix products short
WORTH_CUTTING = 0.9  # parts are made where they have at most this share of the whole's tokens


def hidden_states(trunk: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """Hidden states [R, H] of the R tokens of [B, L] that a mask [B, L] marks, row by row.

    A row is computed up to the last token that is marked in it: rows of about the same length
    together, each part of the batch cut to its longest. What comes after a token does not reach
    it, so no attention mask is needed, and padding on the right changes nothing.
    """
    length = tokens.shape[1] - mask.flip(1).int().argmax(1)
    order = length.argsort(stable=True)
    parts = _parts(length[order].tolist(), tokens.numel())
    if len(parts) == 1:
        return _states(trunk, tokens)[mask]
    place = (mask.flatten().cumsum(0) - 1).view_as(mask)
    found, places = [], []
    for start, end, width in parts:
        rows = order[start:end]
        marked = mask[rows, :width]
        found.append(_states(trunk, tokens[rows, :width])[marked])
        places.append(place[rows, :width][marked])
    return torch.cat(found)[torch.cat(places).argsort()]


def _states(trunk: nn.Module, tokens: Tensor) -> Tensor:
    states: Tensor = trunk(input_ids=tokens, use_cache=False)[0]
    return states


def _parts(lengths: list[int], whole: int) -> list[tuple[int, int, int]]:
    """Where rows, sorted by length, are cut: first row, row after the last, longest."""
    count = len(lengths)
    number = max(1, min(MOST_PARTS, count // LEAST_ROWS))
    edges = [count * i // number for i in range(number + 1)]
    parts = [(a, b, lengths[b - 1]) for a, b in pairwise(edges)]
    if sum((b - a) * width for a, b, width in parts) > WORTH_CUTTING * whole:
        return [(0, count, lengths[-1])]
    return parts


def fuse_activations(model: nn.Module) -> None:
    """Put one kernel in the place of GPT-2's activation, which transformers has as seven."""
    from transformers.activations import NewGELUActivation

    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))
