"""`RunFolder`: opened once, verified before it runs, and read when something of it is asked for."""

import sys

import pytest
import typer

from ppoc.cli.folders import RunFolder, compiled_into, new_folder, resolved
from ppoc.compiler.output import verify


@pytest.fixture
def compiled(ppoc, spec, tmp_path):
    assert ppoc("compile", spec, "--out", "compiled").code == 0
    return tmp_path / "compiled"


def test_nothing_is_read_before_it_is_asked_for_and_then_once(compiled, monkeypatch):
    read = []

    def verified(*folder, **flags):
        read.append(folder)
        return verify.Verified("x = 1")

    monkeypatch.setattr(verify, "verified", verified)
    folder = RunFolder.open(compiled)
    assert not read
    assert folder.text == folder.text == "x = 1"
    assert not folder.earlier
    assert len(read) == 1
    assert not folder.holds_run


def test_a_module_is_imported_once_and_knows_its_folder(compiled):
    folder = RunFolder.open(compiled)
    assert folder.module is folder.module
    assert folder.module.__file__ == str(compiled / "module.py")
    assert folder.interface.name == folder.manifest.name == folder.resolve().spec.name
    assert list(folder.interface.stages) == ["train"]
    assert folder.kind.name == "control"
    del sys.modules[folder.module.__name__]


def test_a_folder_of_another_kind_is_refused_in_one_message(compiled, capsys):
    folder = RunFolder.open(compiled)
    assert folder.only_for("control", "--video") is folder
    with pytest.raises(typer.Exit) as ended:
        folder.only_for("rlhf", "`ppoc chat`")
    assert ended.value.exit_code == 2
    said = f"error: `ppoc chat` is for `kind: rlhf`, and {compiled} is of `kind: control`\n"
    assert capsys.readouterr().err == said


def test_what_leads_out_of_a_folder_ends_the_command_when_it_is_opened(compiled, capsys):
    (compiled / "metrics.csv").symlink_to("/etc/passwd")
    with pytest.raises(typer.Exit):
        RunFolder.open(compiled)
    assert "is a link that leads out of" in capsys.readouterr().err


def test_a_folder_is_compiled_into_another_with_its_own_files(compiled, tmp_path):
    made = compiled_into(
        lambda name: new_folder(tmp_path / f"{name}-1", name),
        compiled,
        [],
        trust=False,
        modified=False,
    )
    assert made.path == tmp_path / "compiled-1"
    for name in ("module.py", "spec.lock.yaml", "manifest.json"):
        assert (made.path / name).read_bytes() == (compiled / name).read_bytes()
    other = compiled_into(
        lambda name: tmp_path / "other", compiled, ["training.seed=7"], trust=False, modified=False
    )
    assert "SEED = 7" in other.text
    assert other.resolve().spec.training.seed == 7
    assert resolved(compiled).spec.training.seed == 1
