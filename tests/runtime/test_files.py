"""Files are old or new, never between; lines are whole or not there."""

import resource
import signal
import subprocess
import sys

import pytest

from ppoc.runtime.files import LineFile, append_line, read_lines, remove_parts, write_whole


@pytest.fixture
def small_files():
    """Let no file grow beyond 4 KiB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "result.json"
    write_whole(path, "old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_does_not_fit_leaves_the_old_one_alone(tmp_path, small_files):
    path = tmp_path / "result.json"
    write_whole(path, "old")
    with pytest.raises(OSError, match="File too large"):
        write_whole(path, "x" * 5000)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_that_does_not_fit_is_taken_back(tmp_path, small_files):
    path = tmp_path / "metrics.csv"
    file = LineFile(path, "x")
    file.append("a" * 4000)
    with pytest.raises(OSError, match=r"File too large.*metrics\.csv"):
        file.append("b" * 200)
    file.append("c")
    file.close()
    assert path.read_text() == "a" * 4000 + "\nc\n"


def test_a_line_for_a_removed_file_is_an_error(tmp_path):
    file = LineFile(tmp_path / "metrics.csv", "x")
    (tmp_path / "metrics.csv").unlink()
    with pytest.raises(FileNotFoundError, match="it was removed"):
        file.append("a")
    file.close()


@pytest.mark.parametrize(
    ("content", "lines"),
    [(b"", []), (b"a", []), (b"a\n", ["a"]), (b"a\nb\nto", ["a", "b"]), (b"\xff\n", ["\ufffd"])],
)
def test_a_torn_line_is_not_read(tmp_path, content, lines):
    path = tmp_path / "evaluations.jsonl"
    path.write_bytes(content)
    assert read_lines(path) == lines


def test_lines_are_appended(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    append_line(path, "1")
    append_line(path, "2")
    assert read_lines(path) == ["1", "2"]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    code = (
        "import os, signal, sys, pathlib\n"
        "from ppoc.runtime import files\n"
        "files.os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.write_whole(pathlib.Path(sys.argv[1]), 'new')"
    )
    path = tmp_path / "result.json"
    write_whole(path, "old")
    done = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    remove_parts(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"
