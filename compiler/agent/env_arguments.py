"""Arguments that a generated module makes its environments with."""

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.literals import Code, literal


def env_arguments(plan: Plan) -> list[Code]:
    """Arguments of `runtime.make_envs` after the id and the number of environments."""
    env, backend = plan.spec.env, "gymnasium" if plan.device_rollout else plan.facts.backend
    arguments = [Code(f"backend={literal(backend)}")]
    if backend == "envpool" and env.threads != "auto":
        arguments.append(Code(f"threads={literal(env.threads)}"))
    if env.max_episode_steps is not None:
        arguments.append(Code("max_episode_steps=MAX_EPISODE_STEPS"))
    pooled = plan.facts.backend == "envpool"
    atari = env.atari is not None and env.atari.episodic_life
    if plan.facts.options:
        arguments.append(Code(f"options={'options' if atari and pooled else 'ENV_OPTIONS'}"))
    if plan.facts.wrappers and not pooled:
        arguments.append(Code(f"wrappers={'wrappers' if atari else 'WRAPPERS'}"))
    if plan.facts.package is not None:
        arguments.append(Code("package=ENV_PACKAGE"))
    arguments.append(Code("spaces=(OBSERVATION_SPACE, ACTION_SPACE)"))
    if env.step_timeout is not None:
        arguments.append(Code(f"step_timeout={literal(env.step_timeout)}"))
    return arguments
