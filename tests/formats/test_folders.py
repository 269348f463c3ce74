"""Files of a folder that may be anybody's: opened only where they are what they seem."""

import os

import pytest

from ppoc.formats import files, folders
from ppoc.formats.files import LineFile, copy_whole, create_file, open_to_write, write_whole
from ppoc.formats.folders import check_files, check_folder, remove
from ppoc.formats.reading import FormatError, open_regular


@pytest.fixture
def folder(tmp_path):
    """A run folder, beside a file of its user."""
    (tmp_path / "precious").write_text("precious\n")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "module.py").write_text("module\n")
    return tmp_path / "run"


ODD = {
    "a pipe": os.mkfifo,
    "a link out": lambda path: path.symlink_to("../precious"),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a loop": lambda path: path.symlink_to(path.name),
    "a link to nothing outside": lambda path: path.symlink_to("../new"),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_folder_has_files_and_folders_only(folder, kind):
    check_folder(folder)
    ODD[kind](folder / "odd")
    with pytest.raises(FormatError, match="odd"):
        check_folder(folder)


def test_a_folder_is_looked_through_to_its_end(folder):
    (folder / "checkpoints" / "in").symlink_to("../module.py")
    check_folder(folder)
    (folder / "checkpoints" / "out").symlink_to("../../precious")
    with pytest.raises(FormatError, match="out is a link that leads out of"):
        check_folder(folder)


def test_links_within_a_folder_are_let_be(folder):
    (folder / "latest").symlink_to("checkpoints")
    (folder.parent / "link").symlink_to("run")
    check_folder(folder.parent / "link")


def test_a_folder_with_too_many_files_is_none_of_a_run(folder, monkeypatch):
    monkeypatch.setattr(folders, "MAX_ENTRIES", 1)
    with pytest.raises(FormatError, match="more than 1 files"):
        check_folder(folder)


@pytest.mark.parametrize("kind", [*ODD, "a link in", "a folder"])
def test_nothing_is_read_or_written_through_what_is_no_file(folder, kind):
    path = folder / "metrics.csv"
    odd = {
        **ODD,
        "a link in": lambda path: path.symlink_to("module.py"),
        "a folder": lambda path: path.mkdir(),
    }
    odd[kind](path)
    with pytest.raises((FormatError, OSError)):
        open_regular(path)
    for opened in (open_to_write, LineFile):
        with pytest.raises(OSError, match=r"metrics\.csv"):
            opened(path)
    if kind != "a folder":  # which has to be removed by hand
        write_whole(path, "new")
        assert path.read_text() == "new"
        assert not path.is_symlink()
        path.unlink()
        odd[kind](path)
        with create_file(path) as file:
            file.write(b"newer")
        assert path.read_text() == "newer"
    assert (folder / "module.py").read_text() == "module\n"
    assert (folder.parent / "precious").read_text() == "precious\n"
    assert not (folder.parent / "new").exists()


def test_what_is_half_written_is_no_link_either(folder):
    (folder / ".result.json.part").symlink_to("../precious")
    write_whole(folder / "result.json", "new")
    assert (folder.parent / "precious").read_text() == "precious\n"
    assert (folder / "result.json").read_text() == "new"


def test_other_names_of_a_file_keep_what_they_have(folder):
    os.link(folder.parent / "precious", folder / "health.jsonl")
    file = LineFile(folder / "health.jsonl")
    file.append("more")
    file.close()
    assert (folder.parent / "precious").read_text() == "precious\n"
    assert (folder / "health.jsonl").read_text() == "precious\nmore\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("checkpoints", "health.jsonl", "module.py")
    ]


def test_a_copy_is_whole_and_of_a_regular_file(folder):
    (folder / "link").symlink_to("module.py")
    copy_whole(folder / "link", folder / "new" / "copy")
    assert (folder / "new" / "copy").read_text() == "module\n"
    os.mkfifo(folder / "pipe")
    with pytest.raises(FormatError, match="not a regular file"):
        copy_whole(folder / "pipe", folder / "new" / "other")
    assert [path.name for path in (folder / "new").iterdir()] == ["copy"]


def test_other_libraries_are_given_files_alone(folder):
    (folder / "config.json").symlink_to("../precious")  # as caches of model hubs have them
    check_files(folder, 100)
    with pytest.raises(FormatError, match="larger than 5 bytes"):
        check_files(folder, 5)
    os.mkfifo(folder / "tokenizer.json")
    with pytest.raises(FormatError, match=r"tokenizer\.json is not a regular file"):
        check_files(folder)


def test_a_sparse_file_is_not_read(folder):
    path = folder / "evaluations.jsonl"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(FormatError, match="larger than"):
        files.read_lines(path)


def test_a_link_is_removed_and_not_what_it_names(folder):
    (folder / "part").symlink_to("checkpoints")
    for name in ("part", "module.py", "checkpoints", "never there"):
        remove(folder / name)
        assert not (folder / name).exists()
        assert (folder / "checkpoints").exists() == (name in ("part", "module.py"))
