"""Files are old or new, never between; lines are whole or not there."""

import re
import signal
import subprocess
import sys

import pytest

from ppoc.formats.files import LineFile, append_line, read_lines, remove_parts, write_whole


def limited(code, path):
    """Run code in a process that may let no file grow beyond 4 KiB, as on a disk that is full.

    The tests' own process may be writing its report to a file that is longer.
    """
    code = (
        "import pathlib, resource, signal, sys\n"
        "from ppoc.formats.files import LineFile, write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"path = pathlib.Path(sys.argv[1])\n{code}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    )
    return done.stderr


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "result.json"
    write_whole(path, "old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_does_not_fit_leaves_the_old_one_alone(tmp_path):
    path = tmp_path / "result.json"
    write_whole(path, "old")
    errors = limited("write_whole(path, 'x' * 5000)", path)
    assert errors.splitlines()[-1] == "OSError: [Errno 27] File too large"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_that_does_not_fit_is_taken_back(tmp_path):
    path = tmp_path / "metrics.csv"
    errors = limited(
        "file = LineFile(path, 'x')\n"
        "file.append('a' * 4000)\n"
        "try:\n"
        "    file.append('b' * 200)\n"
        "finally:\n"
        "    file.append('c')\n",
        path,
    )
    assert re.search(r"File too large.*metrics\.csv", errors.splitlines()[-1])
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
        "from ppoc.formats import files\n"
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
