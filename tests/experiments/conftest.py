"""Experiments of a few seconds, run as their users do."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SUPPORT = Path(__file__).parents[1] / "support"
PPOC = [sys.executable, "-m", "ppoc.cli"]
SPEC = """\
ppoc: 1
kind: experiment
name: rates
question: Do smaller steps help?
base:
  ppoc: 1
  name: tiny
  algorithm: ppo
  env: {{id: CartPole-v1, num_envs: 2, backend: gymnasium}}
  networks: {{actor: {{layers: [8]}}, critic: {{layers: [8]}}}}
  update: {{rollout_steps: 64, epochs: 2, minibatch_size: 64}}
  training: {{total_steps: {steps}, checkpoint_every: 2, compile: never, device: cpu}}
  evaluation: {{episodes: 2}}
variants:
  plain: {{}}
  small: {{optimizer.actor.lr: 1e-5}}
seeds: {seeds}
compare: {{baseline: plain}}
jobs: 2
"""


@pytest.fixture(scope="session")
def environment():
    return {
        **os.environ,
        "PYTHONPATH": str(SUPPORT),
        "OMP_NUM_THREADS": "1",
        "PPOC_TRUST": "faulty",
    }


@pytest.fixture
def ppoc(tmp_path, environment):
    """Run `ppoc ARGS` in a process of its own, in an empty folder."""

    def start(*arguments):
        return subprocess.Popen(
            [*PPOC, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(*arguments, timeout=120):
        process = start(*arguments)
        out, err = process.communicate(timeout=timeout)
        assert "Traceback" not in out + err
        return SimpleNamespace(code=process.returncode, out=out, err=err)

    run.start = start
    return run


@pytest.fixture
def spec(tmp_path):
    """A function that writes the spec of an experiment with two settings, and gives its path."""

    def write(seeds=2, steps=256, name="spec.yaml", **changes):
        text = SPEC.format(seeds=seeds, steps=steps)
        for before, after in changes.items():
            assert before in text
            text = text.replace(before, after)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write
