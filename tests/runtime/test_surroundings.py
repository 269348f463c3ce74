"""Each process that takes part in a run names the same things that its bits depend on."""

import importlib
import sys
from importlib.metadata import version

import numpy as np
import torch

from ppoc.runtime.run.surroundings import changes, surroundings


def test_surroundings_are_the_same_in_a_process_that_imported_more(monkeypatch):
    """One that compiled the module looked at other backends; one that resumes has not."""
    device = torch.device("cpu")
    importlib.import_module("mujoco")
    before = surroundings(device)
    assert before["mujoco"] == version("mujoco")
    older = {**before, "mujoco": "1.0", "numpy": "1.0"}
    assert len(changes(older, before)) == 2
    monkeypatch.delitem(sys.modules, "mujoco")
    assert surroundings(device) == before
    assert changes(older, before) == [f"numpy 1.0, now {np.__version__}"]
    monkeypatch.setitem(sys.modules, "envpool", np)
    assert changes({"envpool": "0.1"}, {}) == ["envpool 0.1, now not installed"]
