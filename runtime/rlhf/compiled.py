"""Transformer blocks compiled for gradient steps: once for all blocks, which are the same code."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ppoc.formats.processes import safe_path
from ppoc.runtime.errors import RunError
from ppoc.runtime.learning import toolchain
from ppoc.runtime.learning.compiled import OPTIONS
from ppoc.runtime.rlhf.forward import hidden_states

# Dropout draws from torch's own generator, as it does where nothing is compiled.
BLOCK_OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {
    **OPTIONS,
    "fallback_random": True,
}


def compile_blocks(
    trunk: nn.Module,
    message: Callable[[str], None],
    *,
    alike: bool = False,
    required: bool = False,
) -> None:
    """Compile what each block of a trunk computes where gradients are wanted, in place.

    Lengths and numbers of rows stay free, so that this happens once, here. Generation, evaluation
    and what is computed for a single row or a single token run as they are written. Where
    compiling fails, everything does.

    Args:
        message: told when one has to wait for the compiler, and when it failed.
        alike: most batches have neighbours that begin alike, which `hidden_states` runs as one
            under a mask: those are compiled then, instead of those without a mask.
        required: raise where compiling fails.

    Raises:
        RunError: compiling failed, and it is required.
    """
    blocks: Any = next((m for m in trunk.children() if isinstance(m, nn.ModuleList)), ())
    try:
        toolchain.require_compiler()
        message(
            "compiling a transformer block: about half a minute the first time, seconds after that"
        )
        with toolchain.building(message, keeps=True), safe_path():
            for block in blocks:
                block.forward = Block(block.forward)
            _warm_up(trunk, alike)
    except Exception as error:
        why = toolchain.reason(error)
        if required:
            raise RunError(f"training.compile is always, and blocks are not: {why}") from error
        message(f"going on with blocks uncompiled, which is slower: {why}")
        for block in blocks:
            vars(block).pop("forward", None)
    trunk.zero_grad()


class Block:
    """A block's `forward`, compiled for calls with gradients of the form that the first one has."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self._eager = forward
        self._compiled = torch.compile(forward, dynamic=True, options=BLOCK_OPTIONS)
        self._masked: bool | None = None  # whether the first call had a mask [B, 1, L, L]

    def __call__(self, states: Tensor, *arguments: Any, **named: Any) -> Any:
        # One row or token would be compiled for itself, since sizes of 1 are never free.
        if not torch.is_grad_enabled() or min(states.shape[:2]) < 2:
            return self._eager(states, *arguments, **named)
        masked = any(isinstance(x, Tensor) and x.ndim == 4 for x in (*arguments, *named.values()))
        if self._masked is None:
            self._masked = masked
        run = self._compiled if masked == self._masked else self._eager
        return run(states, *arguments, **named)


def _warm_up(trunk: nn.Module, alike: bool) -> None:
    """Compile, forward and backward, by a pass over six rows of twelve tokens."""
    device = next(trunk.parameters()).device
    rows = torch.arange(6, device=device) // (2 if alike else 1)
    tokens = rows.unsqueeze(1).repeat(1, 12)
    tokens[1::2, -2:] = 6  # what neighbours differ in
    with torch.enable_grad():
        states = hidden_states(trunk, tokens, torch.ones_like(tokens, dtype=torch.bool))
        torch.autograd.backward(states.sum())
