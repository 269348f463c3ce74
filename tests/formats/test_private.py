"""Folders and files that other users can change are found out, wherever on the way that is."""

import os

import pytest

from ppoc.formats.private import (
    UnsafeError,
    cache_folder,
    is_private,
    owned_folder,
    private_folder,
    shared_folder,
)

OTHER = 12345  # a user that is nobody here


@pytest.fixture
def other(monkeypatch):
    """Let a path belong to another user: really where this is root's process."""
    foreign = set()
    lstat = os.lstat
    real = type(os.lstat("/"))

    def changed(path, *arguments, **named):
        found = lstat(path, *arguments, **named)
        if os.fspath(path) in foreign:
            return real((*found[:4], OTHER, *found[5:]))
        return found

    monkeypatch.setattr(os, "lstat", changed)
    monkeypatch.setattr("pathlib.Path.lstat", lambda path: changed(os.fspath(path)))
    return lambda path: foreign.add(os.fspath(path))


def test_a_folder_is_made_for_its_user_alone(tmp_path):
    before = os.umask(0)
    try:
        found = private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert found == (tmp_path / "a" / "b").resolve()
    assert [path.stat().st_mode & 0o777 for path in (found, found.parent)] == [0o700, 0o700]
    assert private_folder(found) == found


def test_a_folder_that_others_could_read_is_closed_to_them(tmp_path):
    tmp_path.joinpath("a").mkdir(mode=0o755)
    assert owned_folder(tmp_path / "a").stat().st_mode & 0o777 == 0o755  # the user's own choice
    assert private_folder(tmp_path / "a").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722, 0o1777])
def test_a_folder_that_others_can_write_is_refused(tmp_path, mode):
    tmp_path.joinpath("a").mkdir()
    tmp_path.joinpath("a").chmod(mode)
    for make in (private_folder, owned_folder):
        with pytest.raises(UnsafeError, match=r"others can write to .*a"):
            make(tmp_path / "a")


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_above_that_others_can_write_is_refused(tmp_path, mode):
    tmp_path.joinpath("a").mkdir()
    private_folder(tmp_path / "a" / "b" / "c")
    tmp_path.joinpath("a").chmod(mode)
    with pytest.raises(UnsafeError, match=r"others can write to .*/a: "):
        private_folder(tmp_path / "a" / "b" / "c")
    tmp_path.joinpath("a").chmod(0o1777)  # as /tmp: only owners remove what is theirs
    assert private_folder(tmp_path / "a" / "b" / "c").is_dir()
    assert shared_folder(tmp_path / "a") == (tmp_path / "a").resolve()


@pytest.mark.parametrize("place", ["a", "a/b", "a/b/c"])
def test_a_folder_of_another_user_on_the_way_is_refused(tmp_path, other, place):
    private_folder(tmp_path / "a" / "b" / "c")
    other(tmp_path.resolve() / place)
    with pytest.raises(UnsafeError, match="another user"):
        private_folder(tmp_path / "a" / "b" / "c")


def test_links_are_followed_where_their_makers_are_trusted(tmp_path, other):
    tmp_path = tmp_path.resolve()
    private_folder(tmp_path / "disk" / "cache")
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to(tmp_path / "disk")
    assert private_folder(tmp_path / "first" / "cache") == tmp_path / "disk" / "cache"
    with pytest.raises(UnsafeError, match="is a link"):
        private_folder(tmp_path / "first")
    other(tmp_path / "second")  # a link over which the first one leads
    with pytest.raises(UnsafeError, match="second belongs to another user"):
        private_folder(tmp_path / "first" / "cache")


@pytest.mark.parametrize("kind", ["file", "pipe", "loop", "below a file"])
def test_whatever_is_no_folder_is_refused(tmp_path, kind):
    path = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to("a")
        path = path / "b"
    else:
        path.write_text("")
        path = path / "b" if kind == "below a file" else path
    with pytest.raises(UnsafeError):
        private_folder(path)


def test_files_of_others_are_told(tmp_path, other):
    path = tmp_path / "a"
    assert not is_private(path)
    path.write_text("")
    assert is_private(path)
    path.chmod(0o666)
    assert not is_private(path)
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    assert not is_private(tmp_path / "link")
    assert not is_private(tmp_path)
    other(path)
    assert not is_private(path)


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("PPOC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ppoc"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "ppoc"
