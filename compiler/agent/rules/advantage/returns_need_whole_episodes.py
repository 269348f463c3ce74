"""E111: a return that the end of a rollout cuts short is no return."""

from collections.abc import Iterator

from ppoc.compiler.agent.estimators import estimator_of
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E111", "advantage.estimator", "update.sampling")
def returns_need_whole_episodes(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    spec = resolved.spec
    if estimator_of(spec.advantage).critic is None and spec.update.sampling != "episodes":
        yield resolved.diagnostic(
            "E111",
            resolved.first_explicit(("advantage", "estimator"), ("update", "sampling")),
            f"`{spec.advantage.estimator}` needs whole episodes",
            why="without a critic nothing stands for the rewards after the end of a rollout",
            help="set `update.sampling: episodes`",
        )
