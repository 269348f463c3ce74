"""Folders that earlier versions wrote are read by this one.

tests/artefacts/ holds run folders as ppoc 0.1.0 left them in November 2026, with results and
evaluations from before those said their version, and modules without an interface. They are never
written anew: a change that cannot read them needs a migration, but for the modules, which are
compiled again from their locks. A later form gets a folder of its own beside them.
"""

import csv
import json
import shutil
from pathlib import Path

import pytest

from ppoc.cli.folders import RunFolder, compiled_into
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.output.manifest import MODULE, read_manifest, sha256
from ppoc.compiler.resolve import resolve
from ppoc.exporting import hub
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.results import read_result
from ppoc.runtime.run.trained import evaluate_run

ARTEFACTS = Path(__file__).parent / "artefacts"
KINDS = sorted(path.name for path in ARTEFACTS.iterdir())


@pytest.fixture(params=KINDS)
def folder(request, tmp_path):
    return shutil.copytree(ARTEFACTS / request.param, tmp_path / "run")


def test_a_policy_is_evaluated_as_well_as_it_was(folder):
    """In other episodes: of those since, each has a seed of its own."""
    module = RunFolder.open(folder).module
    before = read_result(folder)
    after = evaluate_run(module, folder)
    assert before.finished
    assert after.episodes == before.evaluation.episodes
    deviation = max(after.std, before.evaluation.std) / after.episodes**0.5
    assert abs(after.mean - before.evaluation.mean) < 3 * deviation


def test_a_run_goes_on(folder):
    """From its first checkpoint, in new episodes, to tensors like those of its last."""
    module = RunFolder.open(folder).module
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
    result = execute(RunFolder.open(folder).module, folder, device="cpu", mode="quiet", resume=True)
    assert result.earlier


def test_a_lock_compiles_and_a_manifest_is_read(folder):
    assert compile_spec(resolve(folder / "spec.lock.yaml")).module
    assert read_manifest(folder).sha256[MODULE] == sha256((folder / MODULE).read_text("utf-8"))


def test_a_folder_for_a_hub_is_made(folder, tmp_path):
    hub.export(RunFolder.open(folder).module, folder, tmp_path / "hub")
    row = json.loads((tmp_path / "hub" / hub.EVALUATION).read_text())
    assert row["mean"] == read_result(folder).evaluation.mean


def test_a_module_of_an_earlier_version_is_not_run(folder, capsys):
    """Its lock is compiled instead, in memory, which is said in a line."""
    text = (folder / MODULE).read_text() + "\nraise SystemExit('evil')\n"
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"][MODULE] = sha256(text)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / MODULE).write_text(text)
    opened = RunFolder.open(folder)
    assert opened.earlier
    assert opened.text == compile_spec(resolve(folder / "spec.lock.yaml")).module
    assert opened.interface.kind == "control"
    said = capsys.readouterr().err
    assert said.count("is of an earlier version of ppoc") == 1
    assert (folder / MODULE).read_text() == text


def test_a_folder_of_an_earlier_version_is_trained_anew(folder, tmp_path):
    """With the module of this version, and a manifest that says so."""
    opened = compiled_into(lambda name: tmp_path / name, folder, [], trust=False, modified=False)
    assert not opened.earlier
    assert read_manifest(opened.path).sha256[MODULE] == sha256(opened.text)
