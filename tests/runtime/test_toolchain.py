"""Compiling keeps to ppoc's own folders, and leaves nothing of builds that were killed."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from ppoc.runtime.errors import RunError
from ppoc.runtime.learning import compiled, toolchain


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A cache, and a folder of temporary files that all can write to."""
    cache, shared = tmp_path / "cache", tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setenv("PPOC_CACHE", str(cache))
    monkeypatch.setenv("TMPDIR", str(shared))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("_own", "_instead"):
        monkeypatch.setattr(toolchain, name, {})
    monkeypatch.setattr(compiled, "_loaded", {})
    for name in (toolchain.INDUCTOR, *toolchain.OTHERS):
        monkeypatch.delenv(name, raising=False)
    return cache.resolve(), shared.resolve()


def torch_folders():
    """Where torch keeps what it compiles, as it is asked in several ways."""
    from torch._inductor import codecache
    from torch._inductor.runtime import cache_dir_utils, runtime_utils

    return {
        Path(cache_dir_utils.cache_dir()),
        Path(cache_dir_utils.default_cache_dir()),
        Path(runtime_utils.default_cache_dir()),
        Path(codecache._HEADER_DIR).parent,
        Path(codecache._HEADER_LOCK_DIR).parents[1],
    }


def test_torch_keeps_its_files_in_the_cache(places):
    cache, shared = places
    planted = shared / Path(toolchain_default()).name
    planted.mkdir()
    os.environ[toolchain.INDUCTOR] = str(planted)  # as torch sets it, asked once
    for keeps in (True, False):
        with toolchain.building(print, keeps=keeps) as folder:
            found = torch_folders()
            assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(folder)
            assert folder.parent == cache
            assert folder.stat().st_mode & 0o777 == 0o700
        kept = {cache / "inductor"}
        assert found == kept if keeps else found == kept | {folder / "inductor"}
        assert torch_folders() == kept
        assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(shared)
    assert cache.stat().st_mode & 0o777 == 0o700
    assert list(planted.iterdir()) == []


def toolchain_default():
    import getpass

    return f"torchinductor_{getpass.getuser()}"


def test_the_users_own_folder_is_taken_if_it_is_safe(places, tmp_path, monkeypatch):
    cache, _ = places
    own, said = tmp_path.resolve() / "own", []
    for name in (toolchain.INDUCTOR, *toolchain.OTHERS):
        monkeypatch.setenv(name, str(own))
    with toolchain.building(said.append, keeps=False):
        assert torch_folders() == {own}
        assert said == []
    own.chmod(0o777)
    with toolchain.building(said.append, keeps=True):
        assert torch_folders() == {cache / "inductor"}
        assert {os.environ[name] for name in toolchain.OTHERS} == {
            str(cache / place) for place in toolchain.OTHERS.values()
        }
    assert len(said) == 1 + len(toolchain.OTHERS)
    assert all("others can write to" in text and "ppoc's own" in text for text in said)


def test_a_cache_that_others_can_write_is_not_used(places):
    cache, shared = places
    cache.mkdir()
    cache.chmod(0o777)
    said = []
    found = [toolchain.cache(said.append) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].parent == shared
    assert found[0].stat().st_mode & 0o777 == 0o700
    assert len(said) == 1
    assert "others can write to" in said[0]
    shared.chmod(0o777)  # not even there
    toolchain._instead.clear()
    step = compiled.compile_step(torch.square, said.append)
    assert step(torch.tensor(3.0)) == 9
    assert "going on with square uncompiled" in said[1]
    with pytest.raises(RunError, match=r"always.*others can write to"):
        compiled.compile_step(torch.square, print, required=True)(torch.tensor(3.0))


def test_a_package_that_another_could_have_written_is_not_loaded(places, monkeypatch):
    cache, _ = places
    cache.mkdir(mode=0o700)
    monkeypatch.setattr(compiled, "_read", lambda package: pytest.fail("loaded"))
    package = cache / "x.pt2"
    package.write_text("")
    package.chmod(0o666)
    assert compiled._load(package, print) is None
    (cache / "y.pt2").symlink_to(package)
    assert compiled._load(cache / "y.pt2", print) is None


def test_without_a_compiler_a_run_goes_on_or_ends_as_it_is_told(places, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    said = []
    assert compiled.compile_step(torch.square, said.append)(torch.tensor(3.0)) == 9
    assert said == [
        "going on with square uncompiled, which is slower: no C++ compiler is found "
        f"(no-such-compiler): {toolchain.INSTALL}"
    ]
    with pytest.raises(RunError, match="always, and no C"):
        compiled.compile_step(torch.square, print, required=True)

    def broken(*arguments):
        raise RuntimeError("cannot find crt1.o\nand more")

    monkeypatch.setenv("CXX", sys.executable)  # there is one, which does not work
    monkeypatch.setattr(compiled, "_compile", broken)
    with pytest.raises(
        RunError, match=r"always, and square is not: RuntimeError: cannot find crt1\.o$"
    ):
        compiled.compile_step(torch.square, print, required=True)(torch.tensor(3.0))


BUILD = """
import sys, time
from ppoc.runtime.learning import toolchain
with toolchain.building(print, keeps=False) as folder:
    (folder / "cc1.s").write_text("")
    print(folder, flush=True)
    time.sleep(float(sys.argv[1]))
"""


def test_what_killed_builds_left_goes_and_that_of_running_ones_stays(places, monkeypatch):
    cache, _ = places
    command = [sys.executable, "-c", BUILD]
    builds = [subprocess.Popen([*command, s], stdout=subprocess.PIPE, text=True) for s in "990"]
    killed, running, ended = builds
    folders = [Path(build.stdout.readline().strip()) for build in builds]
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        ended.wait()
        assert [path.exists() for path in folders] == [True, True, False]
        toolchain.remove_leftovers(cache, "build-")
        assert folders[0].exists()  # it could be about to be locked
        old = time.time() - 2 * toolchain.LEFT_OVER
        stranger = cache / "build-notes"
        stranger.mkdir()  # not one of ours, which have a lock
        for path in (*folders[:2], stranger):
            os.utime(path, (old, old))
        assert toolchain.scratch(print).exists()  # the next run does it
        assert [path.exists() for path in (*folders, stranger)] == [False, True, False, True]
    finally:
        running.kill()
        running.wait()
