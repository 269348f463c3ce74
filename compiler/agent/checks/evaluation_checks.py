"""Rules of how an agent is evaluated."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppoc.compiler.agent.evaluation import MAX_STEPS
from ppoc.compiler.front.diagnostics import Diagnostic

if TYPE_CHECKING:
    from ppoc.compiler.agent.env.facts import EnvFacts
    from ppoc.compiler.agent.resolved import Resolved


def evaluations_play_whole_games(resolved: "Resolved") -> Iterator[Diagnostic]:
    """E122: environments that end an episode with a life are none to evaluate in."""
    env, evaluation = resolved.spec.env, resolved.spec.evaluation
    if evaluation.share_envs == "always" and env.atari is not None and env.atari.episodic_life:
        yield resolved.diagnostic(
            "E122",
            ("evaluation", "share_envs"),
            "in the environments of training an episode ends with a life",
            why="evaluation plays whole games",
            help="set `env.atari.episodic_life: false`, or `share_envs: never`",
        )


def episodes_may_never_end(resolved: "Resolved", facts: "EnvFacts") -> Iterator[Diagnostic]:
    """W212: an episode that no time limit ends is cut, at a length that nobody chose."""
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
