"""A first spec of an agent."""

STARTER = """\
# An agent in ten lines; `ppoc check {file}`, then `ppoc run {file}`.
# Every other key has a default: `ppoc compile {file}` writes them all to spec.lock.yaml.
ppoc: 1
name: {name}
algorithm: ppo
env: {{id: {env}, num_envs: 8}}
optimizer:
  actor: {{lr: 3e-4, schedule: linear}}
update: {{rollout_steps: 2048, epochs: 10, minibatch_size: 64}}
training: {{total_steps: {steps}, seed: 1}}
evaluation: {{episodes: 20}}
"""


def starter(file: str, env: str, steps: int) -> str:
    """The text of a first spec, in a file, of an environment, for some steps of it."""
    name = "".join(c if c.isalnum() or c in "-._" else "-" for c in env.lower())
    return STARTER.format(file=file, name=f"{name}-ppo"[:64], env=env, steps=f"{steps:_}")
