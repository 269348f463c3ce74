"""Attempts at runs: made again however often, they do what is left."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from learnt import learnt

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.experiments.engines.attempt import Attempt, attempt
from ppoc.experiments.engines.engine import Job, Outcome

SPEC = """\
ppoc: 1
name: tiny
algorithm: ppo
env: {id: CartPole-v1, num_envs: 2, backend: gymnasium}
networks: {actor: {layers: [8]}, critic: {layers: [8]}}
update: {rollout_steps: 64, epochs: 1, minibatch_size: all}
training: {total_steps: 256, compile: never, device: cpu}
evaluation: {episodes: 2}
"""


@pytest.fixture
def job(tmp_path):
    """A run that was only compiled."""
    folder = tmp_path / "runs" / "tiny"
    compile_spec(resolve_text(SPEC, "tiny.yaml")).write(folder)
    return Job("tiny", folder)


def test_a_finished_run_is_left_alone_and_a_started_one_goes_on(job, tmp_path):
    assert attempt(job) == Outcome("finished")
    whole = learnt(job.folder.parent)
    result = (job.folder / "result.json").read_bytes()
    assert attempt(job) == Outcome("finished")
    assert (job.folder / "result.json").read_bytes() == result

    # Begun and without a checkpoint, and with some but no result.
    (job.folder / "result.json").unlink()
    for checkpoint in (job.folder / "checkpoints").iterdir():
        checkpoint.rename(tmp_path / checkpoint.name)
    assert attempt(job) == Outcome("finished")
    assert learnt(job.folder.parent) == whole
    (job.folder / "result.json").unlink()
    assert attempt(job) == Outcome("finished")
    assert learnt(job.folder.parent) == whole


def test_a_run_that_somebody_makes_is_waited_for(job):
    with (job.folder / "run.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        trial = Attempt(job)
        for _ in range(5):
            assert trial.outcome() is None
            time.sleep(0.1)
        assert not (job.folder / "output.txt").exists()  # nothing was begun
        (job.folder / "result.json").write_text(json.dumps({"finished": True, "steps": 256}))
    assert trial.outcome() == Outcome("finished")

    with (job.folder / "run.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        trial = Attempt(job)
        trial.stop()
        assert trial.outcome() == Outcome("stopped", 3, "another process is making it")


def test_a_run_that_cannot_begin_says_why(job, tmp_path):
    module = job.folder / "module.py"
    module.write_text(module.read_text() + "\n# changed\n")
    found = attempt(job)
    assert (found.state, found.code) == ("failed", 2)
    assert "was changed after it was compiled" in found.reason
    gone = attempt(replace(job, folder=tmp_path / "gone"))
    assert gone.state == "failed"
    assert "gone" in gone.reason
    silent = attempt(job, {"PYTHONHOME": "/nowhere"})
    assert silent.state == "failed"
    assert silent.reason.startswith("its process ended with exit code")


def test_an_interrupt_lets_the_run_save_and_stop(job):
    longer = compile_spec(resolve_text(SPEC.replace("256", "2_000_000"), "tiny.yaml"))
    longer.write(job.folder)
    metrics = job.folder / "metrics.csv"

    def interrupt():
        while not (metrics.exists() and metrics.stat().st_size):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    assert attempt(job).state == "stopped"
    assert json.loads((job.folder / "result.json").read_text())["stopped"]


def test_attempts_need_no_torch():
    code = (
        "import sys, ppoc.experiments.engines.attempt, ppoc.experiments.run_experiment as r\n"
        "import ppoc.experiments.display.table, ppoc.experiments.shorthand\n"
        "assert 'torch' not in sys.modules and 'gymnasium' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
