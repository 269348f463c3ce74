"""A first experiment, and what its language is."""

STARTER = """\
# An experiment: `ppoc check {file}`, then `ppoc run {file}`, which ends with a verdict.
# `ppoc explain {file}` says how many runs it has, and how long they take.
ppoc: 1
kind: experiment
name: {name}
question: Does an entropy bonus help PPO on {env}?
base: {{ppoc: 1, algorithm: ppo, env: {{id: {env}}}}} # or one of the zoo, or a file
set: {{training.total_steps: {steps}}}
variants: # compared with each other
  without: {{losses.entropy.beta: 0.0}}
  with: {{losses.entropy.beta: 0.01}}
seeds: 5
compare: {{baseline: without}}
"""

INTRODUCTION = """\
# Specs of `kind: experiment`

An experiment is many runs and the question that they answer: settings, which are its variants
crossed with its grid, on each task, with each seed. Every run is a spec of another kind, which is
the base with changes laid over it, and is checked as any other.
"""


def starter(file: str, env: str, steps: int) -> str:
    """The text of a first experiment, in a file, of an environment, for some steps a run."""
    name = "".join(c if c.isalnum() or c in "-._" else "-" for c in env.lower())
    return STARTER.format(file=file, name=f"{name}-entropy"[:64], env=env, steps=f"{steps:_}")
