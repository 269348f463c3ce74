"""W212: an episode that no time limit ends is cut, at a length that nobody chose."""

from collections.abc import Iterator

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.evaluation import MAX_STEPS
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule


@rule("W212", "env.id", "evaluation.max_steps", phase=Phase.PROBED)
def episodes_may_never_end(resolved: ResolvedAgent, facts: EnvFacts) -> Iterator[Diagnostic]:
    if facts.time_limit is not None or resolved.spec.evaluation.max_steps is not None:
        return
    yield resolved.diagnostic(
        "W212",
        ("env", "id"),
        f"`{resolved.spec.env.id}` has no time limit, so an episode may never end",
        why="what episodes return is then not measured in training, and an evaluation cuts each "
        f"after {MAX_STEPS:,} steps",
        help="set `env.max_episode_steps`, for instance to 1000, or `evaluation.max_steps`",
    )
