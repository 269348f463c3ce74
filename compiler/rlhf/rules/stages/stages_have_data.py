"""E407: each stage learns from a file."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E407", "data.demonstrations", "data.preferences", "data.prompts", "stages")
def stages_have_data(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    """Stages without examples or prompts."""
    stages, data = resolved.spec.stages, resolved.spec.data
    if "sft" in stages and data.demonstrations is None:
        yield _no_data(resolved, "sft learns from demonstrations", "demonstrations")
    if "reward" in stages and data.preferences is None:
        yield _no_data(resolved, "reward learns from preferences", "preferences")
    if "ppo" in stages and data.prompts is None and data.demonstrations is None:
        yield _no_data(resolved, "ppo answers prompts", "prompts")


@rule("E407", "data.demonstrations", "model.tokenizer", "stages", "start.policy")
def byte_pairs_have_data(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    """A tokenizer that is neither learnt from demonstrations nor that of another run."""
    spec = resolved.spec
    learnt = isinstance(spec.model.tokenizer, dict) and spec.start.policy in (None, "base")
    if learnt and spec.data.demonstrations is None and "sft" not in spec.stages:
        yield _no_data(resolved, "byte pairs are learnt from demonstrations", "demonstrations")


def _no_data(resolved: RlhfResolved, what: str, key: str) -> Diagnostic:
    return resolved.diagnostic(
        "E407",
        ("data",) if resolved.origin(("data",)).kind != "default" else ("stages",),
        f"{what}, and no file has them",
        help=f"add `{key}: {key}.jsonl` to `data`",
    )
