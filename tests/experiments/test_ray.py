"""Experiments on Ray: nodes that die, runs that stop, and clusters that cannot be used."""

import time

import pytest

from crashes import ending
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


@pytest.fixture
def cluster():
    """Two nodes, of a core each."""
    from ray.cluster_utils import Cluster

    found = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "object_store_memory": STORE,
            "include_dashboard": False,
            "_system_config": {"health_check_period_ms": 500, "health_check_failure_threshold": 3},
        },
    )
    try:
        found.add_node(num_cpus=1, object_store_memory=STORE)
        yield found
    finally:
        found.shutdown()


def test_a_node_that_dies_loses_nothing(ppoc, spec, cluster, tmp_path):
    given = {"seeds": 1, "steps": 10_240}
    assert ppoc("run", spec(**given), "--out", "whole", "--quiet").code == 0
    there = spec(**given, **engine(f"{{name: ray, address: '{cluster.address}'}}"))
    process = ppoc.start("run", there, "--out", "killed")
    saved = tmp_path / "killed"
    wait_for(lambda: len({x.parts[-4] for x in saved.glob(SAVED)}) == 2)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == "results: killed/results.json\n"
    assert "(raylet)" not in err
    assert "its machine or its process was lost, and it goes on from its last checkpoint" in err
    runs = [run.run for run in read(saved).runs]
    assert len(runs) == 2
    for run in runs:
        assert ending(saved / run) == ending(tmp_path / "whole" / run)
    assert not list(saved.glob(".ray-*"))
