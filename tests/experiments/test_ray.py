"""Experiments on Ray: nodes that die, runs that stop, and clusters that cannot be used."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from crashes import ending
from ppoc.compiler.experiment.language.engine import Engine as EngineSpec
from ppoc.experiments.engines import ray_cluster
from ppoc.experiments.engines.engine import EngineError, Job
from ppoc.experiments.engines.named import asked
from ppoc.experiments.engines.ray_cluster import Need
from ppoc.experiments.engines.remote import Losses
from ppoc.formats.experiment import read

pytest.importorskip("ray", reason="Ray has no wheel for this Python")

STORE = 80 << 20  # the least that Ray takes
SAVED = "*/checkpoints/step-*[0-9]/tensors.safetensors"


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def engine(value):
    """Changes of a spec of conftest.py to run it elsewhere."""
    return {"jobs: 2": f"engine: {value}"}


def in_time(start):
    """Start something of Ray, which gives up after 30 seconds, on a machine that is busy."""
    for _ in range(2):
        with contextlib.suppress(Exception):
            return start()
    return start()


@pytest.fixture(scope="module")
def cluster():
    """A node of one core, to which tests may add others."""
    from ray.cluster_utils import Cluster

    health = {"health_check_period_ms": 1000, "health_check_failure_threshold": 5}
    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    found = in_time(
        lambda: Cluster(initialize_head=True, head_node_args={**head, "_system_config": health})
    )
    yield found
    found.shutdown()


def test_a_node_that_dies_loses_nothing(ppoc, spec, cluster, tmp_path):
    given = {"seeds": 1, "steps": 10_240}
    assert ppoc("run", spec(**given), "--out", "whole", "--quiet").code == 0
    second = in_time(lambda: cluster.add_node(num_cpus=1, object_store_memory=STORE))
    there = spec(**given, **engine(f"{{name: ray, address: '{cluster.address}'}}"))
    process = ppoc.start("run", there, "--out", "killed")
    saved = tmp_path / "killed"
    wait_for(lambda: len({x.parts[-4] for x in saved.glob(SAVED)}) == 2)
    cluster.remove_node(second, allow_graceful=False)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.endswith("results: killed/results.json\n")
    assert "(raylet)" not in out + err
    assert "its machine or its process was lost, and it goes on from its last checkpoint" in err
    runs = [run.run for run in read(saved).runs]
    assert len(runs) == 2
    for run in runs:
        assert ending(saved / run) == ending(tmp_path / "whole" / run)
    assert not list(saved.glob(".ray-*"))


@pytest.mark.slow
def test_a_signal_stops_runs_of_a_cluster_that_began_here(ppoc, spec, tmp_path):
    given = {"seeds": 1, "steps": 20_480}
    assert ppoc("run", spec(**given), "--out", "whole", "--quiet").code == 0
    process = ppoc.start("run", spec(**given), "--engine", "ray", "--out", "stopped")
    saved = tmp_path / "stopped"
    wait_for(lambda: len({x.parts[-4] for x in saved.glob(SAVED)}) == 2)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "")
    assert "2 to run on a Ray cluster on this machine: " in err
    assert "2 of 2 runs are left; `ppoc run stopped --resume` goes on" in err
    assert not any(word in err for word in ("Traceback", "raylet", "core_worker"))
    runs = [run.run for run in read(saved).runs]
    for run in runs:
        last = (saved / run / "metrics.csv").read_text().splitlines()[-1]
        step = int(last.partition(",")[0])
        assert (saved / run / "checkpoints" / f"step-{step:012}").is_dir()  # nothing is lost
    assert ppoc("run", "stopped", "--resume", "--quiet").code == 0
    for run in runs:
        assert ending(saved / run) == ending(tmp_path / "whole" / run)


def test_a_cluster_without_room_is_said(ppoc, spec, cluster, tmp_path):
    there = f"{{name: ray, address: '{cluster.address}', cpus: 64, gpus: 0.5}}"
    done = ppoc("run", spec(**engine(there)), "--out", "here")
    assert done.code == 2
    said = "no node of the Ray cluster has 64 CPUs and 0.5 GPU for a run, which would wait for"
    assert said in done.err
    assert "its nodes have 1 CPU each; change engine.cpus or engine.gpus" in done.err
    assert not list((tmp_path / "here").glob("*/metrics.csv"))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense"])
def test_a_cluster_that_is_not_there_is_said(address):
    with pytest.raises(EngineError, match=rf"no Ray cluster (answers )?at {address}: "):
        ray_cluster.connect(address)


def test_missing_ray_is_said_with_what_installs_it(monkeypatch):
    with pytest.raises(EngineError, match=r"whole ones: engine.gpus is 1\.5"):
        asked(EngineSpec(name="ray", gpus=1.5), None)
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"needs Ray: pip install 'ppoc\[ray\]'"):
        asked(EngineSpec(name="ray"), None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"sees": False}, "one does not see .*: put experiments on storage that all machines"),
        ({"ppoc": None}, "one has no ppoc for /usr/bin/python, and this is .*: install it there"),
        ({"ppoc": "0.0.1"}, r"one has ppoc 0\.0\.1 for /usr/bin/python, and this is "),
    ],
)
def test_a_node_that_cannot_make_runs_is_named(answer, said, tmp_path, monkeypatch):
    good = {"ppoc": ray_cluster.version("ppoc"), "python": "/usr/bin/python"}
    good |= {"sees": True, "locked": True}
    node = {"Resources": {"CPU": 4.0, "GPU": 1.0}}
    monkeypatch.setattr(ray_cluster, "alive", lambda: [node])
    monkeypatch.setattr(ray_cluster, "_probe", lambda *_: [("two", good), ("one", good | answer)])
    with pytest.raises(EngineError, match=said):
        ray_cluster.check_nodes(tmp_path, Need(1, 0.0))
    monkeypatch.setattr(ray_cluster, "_probe", lambda *_: [("one", good | {"locked": False})])
    (note,) = ray_cluster.check_nodes(tmp_path, Need(1, 0.0))
    assert note.startswith("one: locks of the storage do not reach there")
    assert list(tmp_path.iterdir()) == []


def test_nodes_have_room_for_whole_runs():
    node = {"Resources": {"CPU": 7.0, "GPU": 2.0}}
    assert [Need(*x).times(node) for x in ((1, 0.0), (2, 0.0), (2, 1.0), (1, 0.25), (8, 0.0))] == [
        7, 3, 2, 7, 0,
    ]  # fmt: skip


def test_a_run_that_is_lost_again_and_again_without_getting_further_has_failed(tmp_path):
    losses, job = Losses(), Job("a", tmp_path)
    assert [losses.again(job), losses.again(job)] == [True, True]
    (tmp_path / "checkpoints" / "step-000000000064").mkdir(parents=True)
    assert [losses.again(job) for _ in range(3)] == [True, True, False]


@pytest.mark.slow
def test_a_cluster_that_began_here_obeys_nobody_else(tmp_path):
    script = """
import os, subprocess, sys
from ppoc.experiments.engines import ray_cluster
cluster = ray_cluster.connect("local")
import ray
address = ray.get_runtime_context().gcs_address
assert oct(os.stat(cluster.folder).st_mode)[-3:] == "700"
other = {key: value for key, value in os.environ.items() if not key.startswith("RAY_AUTH")}
connect = f"import ray; ray.init(address={address!r}, log_to_driver=False)"
found = subprocess.run([sys.executable, "-P", "-c", connect], env=other, capture_output=True)
assert b"InvalidAuthToken" in found.stderr and found.returncode, found
paths = ray.get(ray.remote(lambda: __import__("sys").path).remote())
assert os.getcwd() not in paths, paths
ray_cluster.disconnect(cluster)
assert not os.path.exists(cluster.folder)
"""
    subprocess.run([sys.executable, "-P", "-c", script], cwd=tmp_path, check=True, timeout=300)
