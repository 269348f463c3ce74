"""Versions: a newer document is refused, an older one migrates; and bounds of what is read."""

import os
import threading
import tracemalloc

import pytest

from ppoc.formats.documents import Format, NewerError, parse_document, read_document
from ppoc.formats.reading import FormatError, read_regular

THINGS = Format(
    "thing",
    3,
    {
        1: lambda document: {**document, "size": document["length"]},
        2: lambda document: {key: x for key, x in document.items() if key != "length"},
    },
)


@pytest.mark.parametrize(
    "document",
    [
        {"format": 1, "length": 7},
        {"format": 2, "length": 7, "size": 7},
        {"format": 3, "size": 7},
    ],
)
def test_every_earlier_version_becomes_the_current_one(document):
    before = dict(document)
    assert THINGS.current(document) == {"format": 3, "size": 7}
    assert document == before


def test_what_said_no_version_is_of_the_one_given():
    assert THINGS.current({"length": 7}, unversioned=1) == {"format": 3, "size": 7}
    with pytest.raises(FormatError, match="has format None"):
        THINGS.current({"length": 7})


def test_a_newer_version_is_refused_with_what_to_do():
    with pytest.raises(NewerError, match=r"thing has format 4; this version reads format 3.*pip"):
        THINGS.current({"format": 4})


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None, [], {}])
def test_a_version_that_never_was_is_refused(version):
    with pytest.raises(FormatError, match="thing has format"):
        THINGS.current({"format": version})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"1", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b'{"a": {"b": 1, "b": 1}}', "the key 'b' twice"),
        (b'{"a": ' * 100_000, "more than 32 levels"),
        (b'{"a": ' * 33 + b"1" + b"}" * 33, "more than 32 levels"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "not JSON"),
    ],
    ids=range(9),
)
def test_other_documents_are_one_error(data, said):
    with pytest.raises(FormatError, match=said):
        parse_document(data)


def test_depth_is_counted_exactly():
    assert parse_document(b'{"a": ' * 32 + b"1" + b"}" * 32)


def test_only_regular_files_within_the_limit_are_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b'{"a": 1}')
    assert read_document(path) == {"a": 1}
    assert read_regular(path, 8) == b'{"a": 1}'
    with pytest.raises(FormatError, match="larger than 7 bytes"):
        read_regular(path, 7)
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(FormatError, match=r"symbolic link|not a regular file"):
            read_regular(tmp_path / name, 100)
    with pytest.raises(FormatError, match="not a regular file"):
        read_regular(tmp_path / "/dev/zero", 100)
    tracemalloc.start()
    read_regular(path, 2**40)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000  # not what it might have been
    tracemalloc.stop()
    with pytest.raises(OSError, match="No such file"):
        read_regular(tmp_path / "gone", 100)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    real = os.fstat
    grown = threading.Event()

    def grow(descriptor):
        found = real(descriptor)
        if not grown.is_set():
            grown.set()
            path.write_bytes(b"x" * 1_000)
        return found

    monkeypatch.setattr(os, "fstat", grow)
    with pytest.raises(FormatError, match="grew while it was read"):
        read_regular(path, 100)
    assert grown.is_set()
