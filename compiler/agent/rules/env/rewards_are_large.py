"""W205: the scale of rewards is the scale of values, and of the critic's gradient."""

from collections.abc import Iterator

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.advice import LECTURE
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule

LARGE_REWARD = 10


@rule("W205", "env.atari.clip_rewards", "env.normalize.rewards", phase=Phase.PROBED)
def rewards_are_large(resolved: ResolvedAgent, facts: EnvFacts) -> Iterator[Diagnostic]:
    env, largest = resolved.spec.env, facts.reward_range
    clipped = env.atari is not None and env.atari.clip_rewards
    if largest > LARGE_REWARD and not env.normalize.rewards and not clipped:
        yield resolved.diagnostic(
            "W205",
            ("env", "id"),
            f"random steps met rewards of {largest:.3g}, and rewards are not normalised",
            why=f"rewards beyond ±{LARGE_REWARD} make values hard to learn ({LECTURE})",
            help="set `env.normalize.rewards: true`",
        )
