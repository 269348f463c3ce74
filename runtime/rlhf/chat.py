"""Trying a policy: a prompt in, its answer out."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ppoc.runtime.declared import language_model_of
from ppoc.runtime.errors import RunError
from ppoc.runtime.interface import Generation
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.rlhf.data import first_prompt
from ppoc.runtime.rlhf.generation import generate
from ppoc.runtime.rlhf.stage import load_tokenizer
from ppoc.runtime.rlhf.tokens import Limits
from ppoc.runtime.run.device import choose_device


def policy_stages(module: ModuleType, root: Path) -> list[str]:
    """The stages of a run folder that have a policy, the newest first."""
    first = language_model_of(module).model.reference
    return [
        stage
        for stage in dict.fromkeys(("ppo", "sft", first))
        if stage == "base" or checkpoints.latest(root / stage / "checkpoints") is not None
    ]


class Example(NamedTuple):
    """A prompt that a policy was trained with."""

    prompt: str
    file: str  # that it is the first of


def training_prompt(module: ModuleType, root: Path) -> Example | None:
    """A prompt of the data that a run folder keeps, of ppo before others; None where none is there.

    Answers to prompts of another form are those of a policy that has never seen such.
    """
    data = language_model_of(module).data
    for file in (data.prompts, data.demonstrations, data.preferences):
        if file is not None:
            with contextlib.suppress(RunError):
                return Example(first_prompt(root / file), file)
    return None


def answerer(
    module: ModuleType,
    root: Path,
    *,
    stage: str | None = None,
    temperature: float | None = None,
    max_new_tokens: int | None = None,
    seed: int | None = None,
    device: str | None = None,
) -> Callable[[str], str]:
    """A function from a prompt to the answer of a policy.

    The same seed gives the same answers to the same prompts in the same order.

    Args:
        stage: whose policy; None for the newest.
        temperature: 0 takes the likeliest tokens; None is as in training.

    Raises:
        RunError: no stage has saved a policy, or not this one.
        CheckpointError: its checkpoint is damaged.
    """
    own = language_model_of(module)
    there = policy_stages(module, root)
    stage = stage or next(iter(there), None)
    if stage not in there:
        found = f"; it has those of {', '.join(there)}" if there else ""
        raise RunError(f"{root} has no policy of {stage or 'any stage'} yet{found}")
    place = choose_device(device or own.device)
    tokenizer = load_tokenizer(root)
    lm = own.model.load_policy(root, stage, tokenizer).to(place).eval()
    limits = Limits(*own.data.limits)
    drawn = own.generation or Generation(max_new_tokens=limits.response, temperature=1.0)
    most = max_new_tokens or drawn.max_new_tokens
    heat = drawn.temperature if temperature is None else temperature
    rng = np.random.default_rng(own.seed if seed is None else seed)

    def answer(prompt: str) -> str:
        tokens = tokenizer.prompt(prompt)[-limits.prompt :]
        noise = rng.random((1, most), np.float32)
        (response,) = generate(
            lm,
            [tokens],
            end=tokenizer.end,
            max_new_tokens=most,
            noise=noise if heat > 0 else None,
            temperature=heat or 1.0,
        )
        return tokenizer.text(response)

    return answer
