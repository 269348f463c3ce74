"""Optimisers of stages, their rates, and how often a stage saves."""

from ppoc.compiler.emission.literals import Code
from ppoc.compiler.emission.rendering import WIDTH
from ppoc.compiler.rlhf.constants import ADAM_EPSILON
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.language.optimizer import Optimizer


def factor_lines(prefix: str, optimizer: Optimizer, count: str, total: str) -> list[Code]:
    """Lines that compute the factor of a stage's learning rates; none where it stays 1."""
    warmup = f"min(1.0, ({count} + 1) / ({prefix}WARMUP * {total}))"
    progress = f"{count} / {total}"
    schedule = optimizer.schedule
    if schedule == "constant":
        return [Code(f"factor = {warmup}")] if optimizer.warmup else []
    if schedule == "linear":
        lines = [Code(f"factor = 1 - {progress}")]
    elif schedule == "cosine":
        lines = [Code(f"factor = 0.5 * (1 + math.cos(math.pi * {progress}))")]
    else:
        name = f"{prefix}LEARNING_RATE_SCHEDULE"
        lines = [Code(f"factor = float(np.interp({progress}, *{name}))")]
    if optimizer.warmup:
        lines.append(Code(f"factor *= {warmup}"))
    return lines


def adamw_lines(prefix: str, optimizer: Optimizer, groups: str) -> list[Code]:
    """Lines that make the optimiser of some groups of parameters."""
    arguments = [groups]
    if optimizer.epsilon != ADAM_EPSILON:
        arguments.append(f"epsilon={prefix}ADAM_EPSILON")
    if optimizer.weight_decay:
        arguments.append(f"weight_decay={prefix}WEIGHT_DECAY")
    joined = ", ".join(arguments)
    room = WIDTH - 4
    if len(line := f"optimizer = rlhf.adamw({joined})") <= room:
        return [Code(line)]
    inner = [f"    {joined}"] if len(joined) + 4 <= room else [f"    {a}," for a in arguments]
    return [Code(line) for line in ("optimizer = rlhf.adamw(", *inner, ")")]


def every(spec: RlhfSpec, total: str) -> Code:
    """How often a stage saves."""
    if spec.training.checkpoint_every is not None:
        return Code("CHECKPOINT_EVERY")
    return Code(f"math.ceil({total} / CHECKPOINTS)")
