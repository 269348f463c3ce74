"""Trying a policy: a prompt in, its answer out."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ppoc.runtime.errors import RunError
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.rlhf.data import first_prompt
from ppoc.runtime.rlhf.generation import generate
from ppoc.runtime.rlhf.stage import load_tokenizer
from ppoc.runtime.run.run import choose_device


def policy_stages(module: ModuleType, root: Path) -> list[str]:
    """The stages of a run folder that have a policy, the newest first."""
    first = getattr(module, "REFERENCE", "sft")
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
    for name in ("PROMPTS", "DEMONSTRATIONS", "PREFERENCES"):
        file = getattr(module, name, None)
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
    there = policy_stages(module, root)
    stage = stage or next(iter(there), None)
    if stage not in there:
        found = f"; it has those of {', '.join(there)}" if there else ""
        raise RunError(f"{root} has no policy of {stage or 'any stage'} yet{found}")
    place = choose_device(device or module.DEVICE)
    tokenizer = load_tokenizer(root)
    lm = module.load_policy(root, stage, tokenizer).to(place).eval()
    most = max_new_tokens or getattr(module, "MAX_NEW_TOKENS", module.MAX_RESPONSE_TOKENS)
    heat = getattr(module, "TEMPERATURE", 1.0) if temperature is None else temperature
    rng = np.random.default_rng(module.SEED if seed is None else seed)

    def answer(prompt: str) -> str:
        tokens = tokenizer.prompt(prompt)[-module.MAX_PROMPT_TOKENS :]
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
