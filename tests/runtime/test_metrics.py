"""Rows and events come back, also after a crash."""

import csv
import subprocess
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ppoc.runtime.records.metrics import MetricsWriter


def rows(folder) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def scalars(folder, tag) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_rows_and_events_read_back(tmp_path):
    writer = MetricsWriter(tmp_path)
    writer.write(10, {"return": 1 / 3, "kl": 0.5})
    writer.write(20, {"return": 2.0})
    assert rows(tmp_path) == [  # before closing: each row is flushed
        {"step": "10", "return": repr(1 / 3), "kl": "0.5"},
        {"step": "20", "return": "2.0", "kl": ""},
    ]
    writer.close()
    assert scalars(tmp_path, "kl") == [(10, 0.5)]
    assert scalars(tmp_path, "return") == [(10, pytest.approx(1 / 3)), (20, 2.0)]


def test_a_late_column_is_an_error(tmp_path):
    writer = MetricsWriter(tmp_path)
    writer.write(1, {"a": 1.0})
    with pytest.raises(ValueError, match="no column for b"):
        writer.write(2, {"a": 1.0, "b": 2.0})
    writer.close()
    assert len(rows(tmp_path)) == 1


def test_a_new_run_does_not_overwrite(tmp_path):
    MetricsWriter(tmp_path).close()
    with pytest.raises(FileExistsError):
        MetricsWriter(tmp_path)


def test_resuming_drops_later_rows_and_a_torn_line(tmp_path):
    writer = MetricsWriter(tmp_path)
    for step in (10, 20, 30):
        writer.write(step, {"a": step, "b": 0.0})
    writer.close()
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("4")
    writer = MetricsWriter(tmp_path, resume_step=20)
    writer.write(30, {"a": 99.0})
    writer.close()
    assert [(row["step"], row["a"]) for row in rows(tmp_path)] == [
        ("10", "10.0"),
        ("20", "20.0"),
        ("30", "99.0"),
    ]
    assert scalars(tmp_path, "a") == [(10, 10.0), (20, 20.0), (30, 99.0)]


@pytest.mark.parametrize("left", [None, "", "step,a", "step,a\n"])
def test_resuming_a_run_that_wrote_no_row(tmp_path, left):
    if left is not None:
        (tmp_path / "metrics.csv").write_text(left)
    writer = MetricsWriter(tmp_path, resume_step=0)
    writer.write(10, {"a": 1.0})
    writer.close()
    assert rows(tmp_path) == [{"step": "10", "a": "1.0"}]


def test_writing_imports_no_other_writer(tmp_path):
    code = (
        "import sys, pathlib; from ppoc.runtime.records.metrics import MetricsWriter\n"
        f"w = MetricsWriter(pathlib.Path({str(tmp_path)!r})); w.write(1, {{'a': 1.0}})\n"
        "w.close(); print(sorted({'torch.utils.tensorboard', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_full_disk_for_events_costs_no_row(tmp_path):
    """The events alone are on a file system too small for them."""
    (tmp_path / "tensorboard").mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "ppoc-test", tmp_path / "tensorboard"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a file system here: {error}")
    try:
        said = []
        writer = MetricsWriter(tmp_path, say=said.append)
        for step in range(1000):
            writer.write(step, {"return": 1.0, "kl": 0.5})
        writer.close()
    finally:
        subprocess.run(["umount", "-l", tmp_path / "tensorboard"], check=True)
    assert len(rows(tmp_path)) == 1000
    assert said == [
        "TensorBoard's events are not written any more (No space left on device); metrics.csv is"
    ]
