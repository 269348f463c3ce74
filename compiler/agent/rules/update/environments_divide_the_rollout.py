"""E102: all environments take the same number of steps in a rollout."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E102", "env.num_envs", "update.rollout_steps")
def environments_divide_the_rollout(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    steps, envs = resolved.spec.update.rollout_steps, resolved.spec.env.num_envs
    if steps % envs:
        near = sorted({max(1, steps // envs) * envs, (steps // envs + 1) * envs})
        yield resolved.diagnostic(
            "E102",
            resolved.first_explicit(("update", "rollout_steps"), ("env", "num_envs")),
            f"{envs} environments cannot share {steps} steps evenly",
            why="rollout_steps counts the steps of all environments together",
            help=f"the nearest numbers that they can: {', '.join(map(str, near))}",
        )
