"""W410: more memory than this machine has; of a GPU's, the run tells."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule
from ppoc.compiler.rlhf import memory, pretrained
from ppoc.compiler.rlhf.memory import GIB, machine
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("W410", "training.device", *memory.READS, *pretrained.READS, phase=Phase.PROBED)
def memory_is_enough(resolved: RlhfResolved, facts: RlhfFacts) -> Iterator[Diagnostic]:
    if resolved.spec.training.device == "cuda":
        return
    needed, there = facts.memory, machine()
    if needed is None or there is None or needed.total <= there:
        return
    largest = max(needed._fields[1:], key=lambda name: int(getattr(needed, name)))
    part = int(getattr(needed, largest)) / GIB
    advice = {
        "activations": "smaller batches, shorter texts, or `dtype: bfloat16`",
        "cache": "a smaller ppo.rollout_size or shorter texts",
    }.get(largest, "a smaller model, or low-rank changes: `model.lora: {rank: 8}`")
    yield resolved.diagnostic(
        "W410",
        ("model",),
        f"{needed.stage} takes about {needed.total / GIB:.1f} GiB, and this machine has "
        f"{there / GIB:.1f}",
        why=f"{largest} alone are about {part:.1f} GiB",
        help=f"take {advice}",
    )
