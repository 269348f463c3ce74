"""Checkpoints come back exactly, or are refused; a crash never costs the one before."""

import hashlib
import json
import math
import os

import numpy as np
import pytest
import torch

from ppoc.runtime.records import checkpoint
from ppoc.runtime.records.checkpoint import (
    CheckpointError,
    clean,
    latest,
    load,
    load_newest,
    newest_good,
    save,
    set_aside,
)


def test_round_trip(tmp_path):
    whole = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tensors = {
        "flat": torch.randn(5),
        "transposed": whole.T,
        "view": whole[1],
        "count": np.array(7),
        "mean": np.array([0.1, 1 / 3]),
        "empty": np.empty(0),
        "flag": torch.tensor(True),
    }
    path = save(tmp_path / "checkpoints", 204_800, tensors, {"steps": 204_800, "kl": math.pi})
    assert path.name == "step-000000204800"
    loaded, metadata = load(path)
    assert metadata == {"steps": 204_800, "kl": math.pi}
    assert set(loaded) == set(tensors)
    for name, tensor in tensors.items():
        expected = torch.as_tensor(tensor)
        assert loaded[name].dtype == expected.dtype
        assert torch.equal(loaded[name], expected)


def test_tensors_that_share_memory_are_both_kept(tmp_path):
    flat = torch.arange(4.0)
    loaded, _ = load(save(tmp_path, 1, {"first": flat[:2], "all": flat, "again": flat}, {}))
    assert loaded["first"].tolist() == [0, 1]
    assert loaded["again"].tolist() == loaded["all"].tolist() == [0, 1, 2, 3]


def test_keeps_the_newest(tmp_path):
    for step in (10, 20, 30, 40):
        save(tmp_path, step, {"x": torch.zeros(1)}, {}, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-000000000030",
        "step-000000000040",
    ]


def test_keep_none_keeps_all_and_saving_again_replaces(tmp_path):
    for step in (1, 2, 3, 4, 5, 5):
        save(tmp_path, step, {"x": torch.zeros(1)}, {}, keep=None)
    save(tmp_path, 5, {"x": torch.ones(1)}, {}, keep=None)
    assert len(list(tmp_path.iterdir())) == 5
    assert load(tmp_path / "step-000000000005")[0]["x"].item() == 1


def test_latest_orders_by_number_and_ignores_what_is_incomplete(tmp_path):
    assert latest(tmp_path / "nowhere") is None
    assert latest(tmp_path) is None
    small = save(tmp_path, 10**12 - 1, {"x": torch.zeros(1)}, {})
    huge = save(tmp_path, 10**12, {"x": torch.zeros(1)}, {})
    assert latest(tmp_path) == huge
    (huge / "checkpoint.json").unlink()
    (tmp_path / "step-000000000099").mkdir()
    (tmp_path / ".step-000000000100.part").mkdir()
    assert latest(tmp_path) == small


def test_a_failed_write_leaves_the_checkpoint_before_and_no_litter(tmp_path, monkeypatch):
    before = save(tmp_path, 1, {"x": torch.zeros(1)}, {})

    def full_disk(path, data):
        if path.name == checkpoint.DOCUMENT:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(checkpoint, "write_whole", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, 2, {"x": torch.zeros(1)}, {})
    assert list(tmp_path.iterdir()) == [before]
    assert load(before)[0]["x"].item() == 0


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    (tmp_path / ".step-000000000001.part").mkdir()
    (tmp_path / ".step-000000000002.part").mkdir()
    path = save(tmp_path, 2, {"x": torch.zeros(1)}, {})
    assert list(tmp_path.iterdir()) == [path]


def test_missing_is_said_clearly(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*checkpoint\.json is missing"):
        load(tmp_path / "step-000000000001")


@pytest.mark.parametrize("name", ["tensors.safetensors", "checkpoint.json"])
def test_truncated_files_are_refused(tmp_path, name):
    path = save(tmp_path, 1, {"x": torch.arange(100.0)}, {"a": 1})
    data = (path / name).read_bytes()
    (path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"damaged|cannot be read"):
        load(path)


def test_a_flipped_bit_is_noticed(tmp_path):
    path = save(tmp_path, 1, {"x": torch.arange(100.0)}, {})
    data = bytearray((path / "tensors.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "tensors.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match="does not match the checksum"):
        load(path)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ('{"format": 2}', "this version reads format 1: a newer ppoc wrote it, so update ppoc"),
        ('{"format": "1"}', "this version reads format 1"),
        ('{"format": true}', "this version reads format 1"),
        ("{}", "has format None"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "levels"),
        ('{"format": 1, "format": 1}', "the key 'format' twice"),
        ('{"format": 1' + "0" * 5000 + "}", "not JSON"),
        ('{"format": 1, "metadata": ' + "[" * 40 + "]" * 40 + "}", "more than 32 levels"),
    ],
)
def test_other_documents_are_refused(tmp_path, document, said):
    path = save(tmp_path, 1, {"x": torch.zeros(1)}, {})
    (path / "checkpoint.json").write_text(document)
    with pytest.raises(CheckpointError, match=said):
        load(path)


@pytest.mark.parametrize("change", [{"metadata": []}, {"step": 1.0}, {"step": -1}, {"step": True}])
def test_a_document_without_a_step_or_metadata_is_refused(tmp_path, change):
    path = save(tmp_path, 1, {"x": torch.zeros(1)}, {})
    document = json.loads((path / "checkpoint.json").read_text())
    (path / "checkpoint.json").write_text(json.dumps({**document, **change}))
    with pytest.raises(CheckpointError, match=r"checkpoint\.json lacks a step"):
        load(path)


@pytest.mark.parametrize("name", ["tensors.safetensors", "checkpoint.json"])
def test_a_checkpoint_is_of_regular_files(tmp_path, name):
    path = save(tmp_path / "checkpoints", 1, {"x": torch.zeros(1)}, {})
    (path / name).rename(tmp_path / name)
    os.mkfifo(path / name)  # which would wait forever for somebody to write
    with pytest.raises(CheckpointError, match="not a regular file"):
        load(path)
    (path / name).unlink()
    (path / name).symlink_to(tmp_path / name)
    with pytest.raises(CheckpointError, match="symbolic link"):
        load(path)


def signed(path, data):
    """Write tensors with the checksum that fits them, as whoever makes up a checkpoint would."""
    document = json.loads((path / "checkpoint.json").read_text())
    document["sha256"] = hashlib.sha256(data).hexdigest()
    (path / "checkpoint.json").write_text(json.dumps(document))
    (path / "tensors.safetensors").write_bytes(data)


def header(content):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        (2**62).to_bytes(8, "little") + b"{}",
        header(b"{"),
        header([]),
        header({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 4]}}) + bytes(4),
        header({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]}}) + bytes(4),
        header({"x": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}) + bytes(4),
        header({"x": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}) + bytes(4),
        header({"x": {"dtype": "F32", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}),
        header({"x": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 0]}}),
    ],
    ids=range(11),
)
def test_tensors_with_a_made_up_header_are_refused(tmp_path, data):
    path = save(tmp_path, 1, {"x": torch.zeros(1)}, {})
    signed(path, data)
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


def spoil(path):
    data = bytearray((path / checkpoint.TENSORS).read_bytes())
    data[-1] ^= 1
    (path / checkpoint.TENSORS).write_bytes(data)


def test_going_back_from_damaged_checkpoints_names_them_and_the_good_one(tmp_path, capsys):
    first, second, third = (
        save(tmp_path, step, {"x": torch.tensor(float(step))}, {"steps": step})
        for step in (1, 2, 3)
    )
    assert newest_good(tmp_path) == third
    assert load_newest(tmp_path).damaged == []
    assert capsys.readouterr().err == ""
    spoil(third)
    (second / checkpoint.DOCUMENT).write_text("{")
    newest = load_newest(tmp_path)
    assert (newest.path, newest.tensors["x"].item(), newest.metadata) == (first, 1, {"steps": 1})
    assert [path for path, _ in newest.damaged] == [third, second]
    warning = capsys.readouterr().err
    assert all(str(path) in warning for path in (first, second, third))
    load_newest(tmp_path)
    assert capsys.readouterr().err == ""  # it was said
    assert newest_good(tmp_path) == first

    for path, _ in newest.damaged:
        set_aside(path)
    assert latest(tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 3  # nothing was thrown away

    spoil(first)
    assert newest_good(tmp_path) is None
    with pytest.raises(CheckpointError, match=f"no checkpoint in {tmp_path} can be read"):
        load_newest(tmp_path)
    assert load_newest(tmp_path / "nowhere") is None


@pytest.mark.parametrize("calls", range(12))
def test_a_crash_at_any_step_of_saving_leaves_a_good_checkpoint(tmp_path, monkeypatch, calls):
    """Every rename, removal and sync in turn is the last thing that happens."""

    class Crash(BaseException):
        pass

    save(tmp_path, 7, {"x": torch.tensor(0.0)}, {}, keep=1)
    left = calls

    def counted(function):
        def call(*arguments, **named):
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            return function(*arguments, **named)

        return call

    for name in ("rename", "replace", "mkdir", "unlink"):
        monkeypatch.setattr(checkpoint.Path, name, counted(getattr(checkpoint.Path, name)))
    monkeypatch.setattr(checkpoint.shutil, "rmtree", counted(checkpoint.shutil.rmtree))
    monkeypatch.setattr(checkpoint, "sync_folder", counted(checkpoint.sync_folder))
    for step in (7, 8):  # over itself, then anew
        try:
            save(tmp_path, step, {"x": torch.tensor(float(step))}, {}, keep=1)
        except Crash:
            break
    monkeypatch.undo()
    clean(tmp_path)
    newest = load_newest(tmp_path)
    assert newest.damaged == []
    assert newest.tensors["x"].item() in (0, 7, 8)
    save(tmp_path, 9, {"x": torch.tensor(9.0)}, {}, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000000009"]


def test_a_checkpoint_of_a_newer_format_is_not_passed_over(tmp_path):
    """It is not damaged: going back would train again what it holds."""
    save(tmp_path, 1, {"x": torch.zeros(1)}, {})
    path = save(tmp_path, 2, {"x": torch.zeros(1)}, {})
    document = json.loads((path / "checkpoint.json").read_text())
    (path / "checkpoint.json").write_text(json.dumps({**document, "format": 2}))
    with pytest.raises(checkpoint.NewerCheckpointError, match="update ppoc"):
        checkpoint.load_newest(tmp_path)
