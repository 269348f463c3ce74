"""Folders that earlier versions wrote are read by this one.

tests/artefacts/ holds run folders as ppoc 0.1.0 left them in November 2026, with results and
evaluations from before those said their version. They are never written anew: a change that cannot
read them needs a migration. A later form gets a folder of its own beside them.
"""

import csv
import json
import shutil
from pathlib import Path

import pytest

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.output.manifest import MODULE, read_manifest, sha256
from ppoc.compiler.resolve import resolve
from ppoc.exporting import hub
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import evaluate_run, execute, load_module
from ppoc.runtime.run.results import read_result

ARTEFACTS = Path(__file__).parent / "artefacts"
KINDS = sorted(path.name for path in ARTEFACTS.iterdir())


@pytest.fixture(params=KINDS)
def folder(request, tmp_path):
    return shutil.copytree(ARTEFACTS / request.param, tmp_path / "run")


def test_a_policy_is_evaluated_as_well_as_it_was(folder):
    """In other episodes: of those since, each has a seed of its own."""
    module = load_module(folder / MODULE)
    before = read_result(folder)
    after = evaluate_run(module, folder)
    assert before.finished
    assert after.episodes == before.evaluation.episodes
    deviation = max(after.std, before.evaluation.std) / after.episodes**0.5
    assert abs(after.mean - before.evaluation.mean) < 3 * deviation


def test_a_run_goes_on(folder):
    """From its first checkpoint, in new episodes, to tensors like those of its last."""
    module = load_module(folder / MODULE)
    last = checkpoints.latest(folder / "checkpoints")
    expected, _ = checkpoints.load(last)
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    shutil.rmtree(last)
    (folder / "result.json").unlink()
    result = execute(module, folder, device="cpu", mode="quiet", resume=True)
    assert result.steps == 512
    found, _ = checkpoints.load(checkpoints.latest(folder / "checkpoints"))
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        if not name.startswith("episodes."):  # of which there are as many as there are
            assert found[name].shape == tensor.shape
    assert len(list(csv.DictReader((folder / "metrics.csv").open()))) == len(rows)
    steps = [json.loads(row)["steps"] for row in (folder / "evaluations.jsonl").open()]
    assert steps == [128, 256, 384, 512]


def test_a_finished_run_stays_as_it_is(folder):
    result = execute(load_module(folder / MODULE), folder, device="cpu", mode="quiet", resume=True)
    assert result.earlier


def test_a_lock_compiles_and_a_manifest_is_read(folder):
    assert compile_spec(resolve(folder / "spec.lock.yaml")).module
    assert read_manifest(folder).sha256[MODULE] == sha256((folder / MODULE).read_text("utf-8"))


def test_a_folder_for_a_hub_is_made(folder, tmp_path):
    hub.export(load_module(folder / MODULE), folder, tmp_path / "hub")
    row = json.loads((tmp_path / "hub" / hub.EVALUATION).read_text())
    assert row["mean"] == read_result(folder).evaluation.mean
