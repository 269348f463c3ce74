"""`ppoc init`: a first spec."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ppoc.cli import terminal
from ppoc.cli.options import Trust
from ppoc.cli.specs.zoo import write_new

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

STARTER_RLHF = """\
# A language model that learns from human feedback; `ppoc check {file}`, then `ppoc run {file}`.
# Every other key has a default: `ppoc compile {file}` writes them all to spec.lock.yaml.
ppoc: 1
kind: rlhf
name: {name}
model: {{id: gpt2, lora: {{rank: 8}}}}
data:
  demonstrations: demonstrations.jsonl # {{"prompt": "…", "response": "…"}} a line
  preferences: preferences.jsonl # {{"prompt": "…", "chosen": "…", "rejected": "…"}} a line
sft: {{epochs: 3, optimizer: {{lr: 1e-4, schedule: cosine}}}}
reward: {{epochs: 1, optimizer: {{lr: 1e-4}}}}
ppo: {{episodes: 8192, kl: {{beta: 0.05}}, optimizer: {{lr: 5e-5}}, value_optimizer: {{lr: 1e-4}}}}
training: {{seed: 1}}
"""


def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("spec.yaml"),
    env: Annotated[str, typer.Option(help="A Gymnasium environment.")] = "CartPole-v1",
    steps: Annotated[int, typer.Option(min=1, help="Environment steps to train for.")] = 100_000,
    kind: Annotated[
        Literal["control", "rlhf"],
        typer.Option(help="An agent in an environment, or a language model."),
    ] = "control",
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite.")] = False,
    trust: Trust = False,
) -> None:
    """Write a starter spec, checked before it is written."""
    from ppoc.compiler.agent.env.probe import probe
    from ppoc.compiler.agent.resolved import as_agent
    from ppoc.compiler.resolve import resolve_text

    if path.suffix not in (".yaml", ".yml"):
        terminal.fail(terminal.MISUSE, f"{path} should end in .yaml")
    if kind == "rlhf":
        text = STARTER_RLHF.format(file=path, name="my-model")
        resolve_text(text, str(path))
        write_new(path, text, force)
        return
    name = "".join(c if c.isalnum() or c in "-._" else "-" for c in env.lower())
    text = STARTER.format(file=path, name=f"{name}-ppo"[:64], env=env, steps=f"{steps:_}")
    probe(as_agent(resolve_text(text, str(path))), trust=trust)
    write_new(path, text, force)
