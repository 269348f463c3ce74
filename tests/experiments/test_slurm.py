"""Experiments as jobs of SLURM, which submitit plays on this machine, and what SLURM is told."""

import os
import signal
import time
from pathlib import Path

import pytest

from crashes import ending
from ppoc.compiler.experiment.language.engine import Engine as EngineSpec
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.experiments.engines.engine import EngineError, Job, Outcome
from ppoc.experiments.engines.named import asked

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
    from ppoc.experiments.engines.slurm_engine import SlurmEngine

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


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Commands of SLURM that note how they are called; `sbatch` keeps what it is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "sbatch": f'cp "$1" {tmp_path}/script.sh && echo "Submitted batch job 12"',
        "sacct": 'echo "JobID|State|NodeList"',
        "scancel": f'echo "$1" >> {tmp_path}/cancelled',
        "srun": "exit 1",
    }
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_slurm_is_asked_for_what_the_spec_says(slurm, tmp_path):
    from ppoc.experiments.engines.slurm_engine import SlurmEngine

    (tmp_path / ".slurm").symlink_to(slurm)  # planted, and not to be followed
    spec = EngineSpec(name="slurm", cpus=3, gpus=1, partition="short", hours=1.5)
    assert asked(spec, None) == spec
    engine = SlurmEngine(spec, tmp_path, 2, print)
    assert (engine.slots, engine.place) == (2, "SLURM, 2 side by side, 3 CPUs and 1 GPU each")
    assert (tmp_path / ".slurm").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in slurm.iterdir()) == ["sacct", "sbatch", "scancel", "srun"]
    first, second, third = (Job(name, tmp_path / name) for name in ("a", "b", "c"))
    engine.start(first)
    engine.start(second)
    assert engine.ended() == []
    lines = (tmp_path / "script.sh").read_text().splitlines()
    given = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert {"array=0-1%2", "cpus-per-task=3", "gpus-per-node=1", "partition=short"} <= given
    assert {"time=90", "requeue", "signal=USR2@120"} <= given
    assert " -P -u -m submitit.core._submit " in lines[-1]
    engine.start(third)
    engine.stop(third)
    assert engine.ended() == [(third, Outcome("stopped"))]
    engine.stop()
    assert (tmp_path / "cancelled").read_text().split() == ["12_0", "12_1"]
    (slurm / "sbatch").write_text(
        "#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n"
    )
    engine.start(third)
    with pytest.raises(EngineError, match="SLURM takes no job: sbatch: error: invalid partition"):
        engine.ended()
    engine.close()
    assert not (tmp_path / ".slurm").exists()


def test_slurm_that_cannot_be_used_is_said_before_anything_is_written(
    ppoc, spec, slurm, tmp_path, monkeypatch
):
    with pytest.raises(EngineError, match=r"gives whole GPUs, and engine.gpus is 0\.5"):
        asked(EngineSpec(name="slurm", gpus=0.5), None)
    monkeypatch.setattr("ppoc.experiments.engines.slurm_engine.find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'ppoc\[slurm\]'"):
        asked(EngineSpec(), "slurm")
    done = ppoc("run", spec(), "--engine", "slurm")
    assert done.code == 2
    assert "the engine slurm needs the commands of SLURM, and there is no sbatch here" in done.err
    assert not (tmp_path / "runs").exists()
    done = ppoc("run", spec(), "--engine", "pbs")
    assert (done.code, "the engines are local, ray, slurm" in done.err) == (2, True)


def test_an_error_in_a_job_is_its_reason(engine, tmp_path):
    (job,) = jobs(tmp_path, "a")
    (job.folder / "module.py").unlink()
    engine.start(job)
    outcome = outcomes(engine, 1)["a"]
    assert outcome.state == "failed"
    assert f"does not see {job.folder}: put experiments on storage that all" in outcome.reason
