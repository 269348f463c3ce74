"""E122: preprocessing that is done twice, or that evaluation cannot do without."""

from collections.abc import Iterator

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import Phase, rule


@rule("E122", "env.atari", "env.frame_skip", "env.grayscale", "env.resize")
def preprocessing_is_said_once(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    """Atari preprocessing beside what it does already."""
    env = resolved.spec.env
    if env.atari is None:
        return
    for key, said in {
        "frame_skip": env.frame_skip > 1,
        "grayscale": env.grayscale,
        "resize": env.resize is not None,
    }.items():
        if said:
            message = f"`atari` has a {key.replace('_', ' ')} of its own"
            inner = "screen_size" if key == "resize" else key
            help = f"remove `{key}`; see `atari.{inner}`"
            yield resolved.diagnostic("E122", ("env", key), message, help=help)


@rule("E122", "env.atari.episodic_life", "evaluation.share_envs")
def evaluations_play_whole_games(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    """Environments that end an episode with a life are none to evaluate in."""
    env, evaluation = resolved.spec.env, resolved.spec.evaluation
    if evaluation.share_envs == "always" and env.atari is not None and env.atari.episodic_life:
        yield resolved.diagnostic(
            "E122",
            ("evaluation", "share_envs"),
            "in the environments of training an episode ends with a life",
            why="evaluation plays whole games",
            help="set `env.atari.episodic_life: false`, or `share_envs: never`",
        )


@rule("E122", "env.normalize.observations", phase=Phase.PLANNED)
def images_are_scaled_already(resolved: ResolvedAgent, plan: Plan) -> Iterator[Diagnostic]:
    """Running statistics of pixels."""
    if plan.facts.images and resolved.spec.env.normalize.observations:
        yield resolved.diagnostic(
            "E122",
            ("env", "normalize", "observations"),
            "images are scaled to [0, 1] already",
            help="set `env.normalize.observations: false`",
        )
