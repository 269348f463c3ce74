"""A module runs if it is what its lock compiles to; one that somebody changed is refused."""

import hashlib
import json
import os
import py_compile
import shutil
from pathlib import Path

import pytest

SHORT = (
    "training.total_steps=256",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 1}",
    "evaluation.episodes=1",
    "networks.actor.layers=[4]",
)
SETS = [word for value in SHORT for word in ("-s", value)]
EVIL = "\nopen('evil', 'w').close()\n"  # what a stranger's module would do


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run folder of a short training."""
    from ppoc.compiler.output.build import compile_spec
    from ppoc.compiler.resolve import resolve
    from ppoc.runtime.run.launch import execute, load_module

    spec = Path(__file__).parents[2] / "specs" / "ppo" / "cartpole.yaml"
    folder = tmp_path_factory.mktemp("made")
    compile_spec(resolve(spec, SHORT)).write(folder)
    execute(load_module(folder / "module.py"), folder, device="cpu", mode="quiet")
    return folder


@pytest.fixture
def folder(made, ppoc, tmp_path, monkeypatch):
    """A copy of it, for a user who has never compiled anything."""
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "cache"))
    shutil.copytree(made, tmp_path / "run")
    (tmp_path / "cache").mkdir()
    return tmp_path / "run"


VERBS = {
    "eval": ("eval", "run"),
    "resume": ("run", "run", "--resume", "-q"),
    "run": ("run", "run", "--again", "-o", "new", "-q"),
    "onnx": ("export", "run", "--format", "torch-export", "-o", "policy.pt2"),
    "hub": ("export", "run", "--format", "hub", "-o", "hub"),
    "eject": ("eject", "run", "-o", "alone"),
}


def change_module(folder, manifest=False):
    path = folder / "module.py"
    text = path.read_text() + EVIL
    path.write_text(text)
    if manifest:
        path = folder / "manifest.json"
        content = json.loads(path.read_text())
        content["sha256"]["module.py"] = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps(content))


def refused(done, said, folder):
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert said in done.err
    assert not (folder.parent / "evil").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_of_somebody_else_runs_as_its_lock_compiles(ppoc, folder, verb):
    """Twice: compiled again the first time, remembered the second."""
    assert ppoc(*VERBS[verb]).code == 0
    (checksum,) = (folder.parent / "cache" / "modules").iterdir()
    assert checksum.name == hashlib.sha256((folder / "module.py").read_bytes()).hexdigest()


@pytest.mark.parametrize("verb", VERBS)
def test_a_changed_module_is_refused_unless_it_is_meant(ppoc, folder, verb):
    change_module(folder)
    refused(ppoc(*VERBS[verb]), "module.py was changed after it was compiled: read it", folder)
    assert not (folder.parent / "new").exists()
    assert ppoc(*VERBS[verb], "--modified").code == 0
    assert (folder.parent / "evil").exists() == (verb != "eject")


@pytest.mark.parametrize("verb", VERBS)
def test_a_manifest_that_was_changed_along_is_no_proof(ppoc, folder, verb):
    change_module(folder, manifest=True)
    refused(ppoc(*VERBS[verb]), "is not what its spec.lock.yaml compiles to here", folder)


def test_a_module_is_known_again_without_its_lock(ppoc, folder):
    """A module that was compiled here runs, also where a later ppoc compiles its lock otherwise."""
    assert ppoc("eval", "run").code == 0
    (folder / "spec.lock.yaml").write_text("nothing")
    assert ppoc("eval", "run").code == 0
    (folder.parent / "cache" / "modules").chmod(0o777)  # then others might have put it there
    refused(ppoc("eval", "run"), "spec.lock.yaml was changed", folder)


def test_a_lock_that_compiles_to_something_else_is_told(ppoc, folder):
    lock = folder / "spec.lock.yaml"
    lock.write_text(lock.read_text().replace("seed: 1", "seed: 2"))
    refused(ppoc("eval", "run"), "spec.lock.yaml was changed after it was compiled", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["spec.lock.yaml"] = hashlib.sha256(lock.read_bytes()).hexdigest()
    manifest["versions"]["ppoc"] = "0.0.7"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    refused(ppoc("eval", "run"), "(its manifest says ppoc 0.0.7)", folder)


def test_code_in_a_lock_is_imported_only_with_trust(ppoc, folder, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import gymnasium\nopen('evil', 'w').close()\nclass Same(gymnasium.Wrapper):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    shutil.copy(Path(__file__).parents[2] / "specs" / "ppo" / "cartpole.yaml", "spec.yaml")
    wrapped = [*SETS, "-s", "env.wrappers=['mine:Same']"]
    assert ppoc("run", "spec.yaml", *wrapped, "-o", "other", "-q", "--trust").code == 0
    (tmp_path / "evil").unlink()
    shutil.rmtree(tmp_path / "cache")
    import sys

    del sys.modules["mine"]
    done = ppoc("eval", "other")
    assert (done.code, "error[E119]" in done.err) == (1, True)
    assert not (tmp_path / "evil").exists()
    assert ppoc("eval", "other", "--trust").code == 0


def test_bytecode_beside_a_module_is_not_run(ppoc, folder):
    module = folder / "module.py"
    text, times = module.read_text(), module.stat()
    module.write_text(EVIL.ljust(len(text)))
    os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))
    py_compile.compile(str(module))  # of the same size and time, which is all that Python compares
    module.write_text(text)
    os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert list((folder / "__pycache__").iterdir())
    assert ppoc("eval", "run").code == 0
    assert not (folder.parent / "evil").exists()


MANIFESTS = {
    "no JSON": ("{", "is not JSON"),
    "deep": ("[" * 10_000, "is not JSON"),
    "no object": ("[]", "None is no version of a manifest format"),
    "no version": ("{}", "None is no version of a manifest format"),
    "newer": ('{"format": 3}', "manifest format 3 is of a newer ppoc"),
    "older": ('{"format": 0}', "manifest format 0 is not read any more"),
    "truth": ('{"format": true}', "True is no version"),
    "no sums": ('{"format": 2, "name": "x", "versions": {}}', "sha256: Field required"),
    "other sums": (
        '{"format": 2, "name": "x", "versions": {}, "sha256": {"module.py": 1}}',
        "sha256.module.py: Input should be a valid string",
    ),
    "no module": ('{"format": 2, "name": "x", "versions": {}, "sha256": {}}', "was changed after"),
    "steering": ('{"format": "\\u001b[2J"}', "is no version"),
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_that_is_none_is_one_error(ppoc, folder, kind):
    text, said = MANIFESTS[kind]
    (folder / "manifest.json").write_text(text)
    done = ppoc("eval", "run")
    refused(done, said, folder)
    assert "\x1b" not in done.err


@pytest.mark.parametrize("name", ["module.py", "spec.lock.yaml", "manifest.json"])
def test_the_files_of_a_folder_are_regular(ppoc, folder, name):
    path = folder / name
    path.rename(folder.parent / name)
    os.mkfifo(path)
    refused(ppoc("run", "run", "--again", "-o", "new"), "not a regular file", folder)
    path.unlink()
    path.symlink_to(folder.parent / name)
    refused(ppoc("run", "run", "--again", "-o", "new"), "link that leads out of run", folder)
    path.unlink()
    done = ppoc("run", "run", "--again", "-o", "new")
    assert done.code == 2
    assert name in done.err


@pytest.mark.parametrize("name", ["metrics.csv", "checkpoints", "tensorboard", "loop", "a/b"])
def test_no_link_leads_out_of_a_run_folder(ppoc, folder, name):
    """Or going on with the run would write to whatever it leads to."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    outside = folder.parent / "outside"
    outside.write_text("precious")
    path.symlink_to("loop" if name == "loop" else outside)
    for flags in ((), ("--modified",)):
        done = ppoc("run", "run", "--resume", "-q", *flags)
        refused(done, "is a link that leads out of run", folder)
    assert outside.read_text() == "precious"


def test_a_whole_run_folder_may_be_a_link(ppoc, folder):
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to("elsewhere")
    assert ppoc("run", "run", "--resume", "-q").code == 0
