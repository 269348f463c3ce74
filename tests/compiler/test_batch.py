"""Many specs: which files of a folder are specs, and that processes change nothing."""

import os

import pytest

from ppoc.compiler import batch
from ppoc.compiler.front.diagnostics import SpecError

HEAD = "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n"


def test_specs_of_a_folder(tmp_path):
    texts = {
        "a.yaml": HEAD,
        "below/b.yml": "# first\nextends: ../a.yaml\n",
        "bom.yaml": "\ufeffppoc: 1\n",
        "flow.yaml": '{"ppoc": 1}\n',
        "quoted.yaml": "'ppoc' : 1\n",
        "workflow.yaml": "jobs: {ppoc: 1}\n  extends: x\n",
        "empty.yaml": "",
        "notes.md": "ppoc: 1\n",
        ".hidden/c.yaml": HEAD,
        ".d.yaml": HEAD,
    }
    (tmp_path / ".git").mkdir()
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.yaml")
    specs, others = batch.specs_in(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in specs]
    assert names == ["a.yaml", "bom.yaml", "flow.yaml", "quoted.yaml", "below/b.yml"]
    assert others == 3


def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path):
    with pytest.raises(SpecError, match="E001: cannot read"):
        batch.specs_in(tmp_path / "gone")
    (tmp_path / "broken.yaml").symlink_to("gone.yaml")
    with pytest.raises(SpecError, match="E001: cannot read"):
        batch.specs_in(tmp_path)


def test_processes_find_the_same_in_the_same_order(tmp_path, monkeypatch):
    for number in range(17):
        text = HEAD + f"update: {{epochs: {number % 3}}}\nname: a{number}\n"
        (tmp_path / f"{number:02}.yaml").write_text(text)
    paths, _ = batch.specs_in(tmp_path)
    monkeypatch.setattr(batch.os, "cpu_count", lambda: 1)
    alone = batch.check_all(paths, ["training.seed=2"])
    monkeypatch.setattr(batch.os, "cpu_count", lambda: 2)
    assert batch.check_all(paths, ["training.seed=2"]) == alone
    assert [report.failed for report in alone] == [number % 3 == 0 for number in range(17)]
