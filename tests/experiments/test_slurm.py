"""Experiments as jobs of SLURM, by submitit's executor for one machine; and of SLURM's own words."""

import os
import signal
import time
from pathlib import Path

import pytest

from crashes import ending
from ppoc.compiler.experiment.language.engine import Engine as EngineSpec
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.experiments.engine import EngineError, Job
from ppoc.experiments.engines import asked

pytest.importorskip("submitit", reason="submitit has no wheel for this Python")

RUN = """\
ppoc: 1
name: tiny
algorithm: ppo
env: {id: CartPole-v1, num_envs: 2, backend: gymnasium}
networks: {actor: {layers: [8]}, critic: {layers: [8]}}
update: {rollout_steps: 64, epochs: 2, minibatch_size: 64}
training: {total_steps: 10_240, checkpoint_every: 2, compile: never, device: cpu}
evaluation: {episodes: 2}
"""


def jobs(folder, *names):
    """Compiled runs, in folders of the names."""
    compiled = compile_spec(resolve_text(RUN, "spec.yaml"))
    for name in names:
        compiled.write(folder / name)
    return [Job(name, folder / name) for name in names]


@pytest.fixture
def engine(tmp_path, monkeypatch):
    from ppoc.experiments.slurm_engine import SlurmEngine

    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    said = []
    found = SlurmEngine(EngineSpec(name="slurm"), tmp_path, None, said.append, cluster="local")
    found.said = said
    yield found
    found.close()


def outcomes(engine, count, meanwhile=lambda: None, seconds=120):
    found, end = {}, time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < end
        found |= {job.name: outcome for job, outcome in engine.ended()}
        meanwhile()
        time.sleep(0.05)
    return found


def processes(*words):
    """Processes with words in their command lines, by their parents."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if all(any(word in part for part in command) for word in words):
            found[int(path.name)] = parent
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR2], ids=["killed", "preempted"])
def test_a_job_that_loses_its_machine_goes_on_where_it_was(number, engine, tmp_path):
    alone, disturbed = jobs(tmp_path, "alone", "disturbed")
    left = [number]

    def disturb():
        saved = list((disturbed.folder / "checkpoints").glob("step-*[0-9]"))
        runs = processes("ppoc.cli", str(disturbed.folder))
        workers = processes("submitit.core._submit", str(tmp_path))
        for process in [x for x in runs.values() if x in workers][: len(left) if saved else 0]:
            os.kill(process, left.pop())

    engine.start(alone)
    engine.start(disturbed)
    found = outcomes(engine, 2, disturb)
    assert not left, "it was over before it was disturbed"
    assert {name: outcome.state for name, outcome in found.items()} == {
        "alone": "finished",
        "disturbed": "finished",
    }
    assert ending(disturbed.folder) == ending(alone.folder)
    lost = [text for text in engine.said if text.startswith("disturbed: its job was lost")]
    assert len(lost) == (number == signal.SIGKILL)
    engine.close()
    assert not (tmp_path / ".slurm").exists()
