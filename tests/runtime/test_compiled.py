"""Functions compiled ahead of time: the same numbers, kept for later, whatever lies there."""

import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from ppoc.runtime.learning import compiled, toolchain


class State(NamedTuple):
    x: Tensor
    count: Tensor


def decay(state, inputs, rate, *, factor=0.5):
    """Something with a gradient, a constant tensor and several results."""
    slope = torch.func.grad(lambda x: (torch.tanh(x) * inputs).sum())(state.x)
    moved = state.x * torch.tensor(factor) - rate * slope
    return State(moved, state.count + 1), moved.sum(), moved.norm()


ARGUMENTS = (State(torch.linspace(-1, 1, 37), torch.zeros(())), torch.ones(37), torch.tensor(0.1))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "_loaded", {})
    return tmp_path / "cache"


def assert_equal(found, expected):
    assert type(found[0]) is State
    torch.testing.assert_close(list(found[0]), list(expected[0]))
    torch.testing.assert_close(list(found[1:]), list(expected[1:]))


def test_a_function_is_compiled_once_and_then_loaded(cache):
    said = []
    for _ in range(2):
        step = compiled.compile_step(decay, said.append)
        state = expected = ARGUMENTS[0]
        for _ in range(3):
            found = step(state, *ARGUMENTS[1:])
            assert_equal(found, decay(expected, *ARGUMENTS[1:]))
            state, expected = found[0], found[0]
    assert len(said) == 1
    (package,) = cache.glob("*.pt2")

    # A damaged package is made again; a constant that changed makes another.
    package.write_bytes(package.read_bytes()[:1000])
    compiled._loaded.clear()  # as in another process
    assert_equal(compiled.compile_step(decay, said.append)(*ARGUMENTS), decay(*ARGUMENTS))
    assert len(said) == 2

    def other(*arguments):
        return decay(*arguments, factor=0.25)

    assert_equal(compiled.compile_step(other, said.append)(*ARGUMENTS), other(*ARGUMENTS))
    assert len(list(cache.glob("*.pt2"))) == 2


def test_a_process_loads_a_package_once_a_thread(cache, monkeypatch):
    """Torch does not unload them: each run of a process would keep another."""
    loads = []
    read = compiled._read
    monkeypatch.setattr(compiled, "_read", lambda package: loads.append(package) or read(package))
    for _ in range(2):
        assert_equal(compiled.compile_step(decay, print)(*ARGUMENTS), decay(*ARGUMENTS))
    (package,) = cache.glob("*.pt2")
    assert loads == [package]

    monkeypatch.setattr(compiled, "LOADED", 2)
    other = threading.Thread(target=compiled._load, args=(package, print))
    other.start()  # a loaded package is for one thread
    other.join()
    assert len(loads) == 2
    copy = shutil.copy(package, package.with_name("copy.pt2"))
    for path in (package, copy, package):  # the other thread's, unused for longest, goes
        assert compiled._load(path, print) is not None
    assert len(loads) == 3
    assert len(compiled._loaded) == 2
    package.unlink()  # so that it is compiled for other processes too
    assert compiled._load(package, print) is None


def test_what_an_earlier_run_noted_is_not_traced_again(cache, monkeypatch):
    expected = decay(*ARGUMENTS)
    assert_equal(compiled.compile_step(decay, print)(*ARGUMENTS), expected)
    (note,) = cache.glob("*.json")

    def never(*arguments):
        raise AssertionError("traced")

    with monkeypatch.context() as patch:
        patch.setattr(compiled, "_trace", never)
        assert_equal(compiled.compile_step(decay, print)(*ARGUMENTS), expected)
        longer = (State(torch.ones(5), torch.zeros(())), *ARGUMENTS[1:])
        with pytest.raises(AssertionError, match="traced"):  # another shape is another function
            compiled.compile_step(decay, print)(*longer)

    # Whatever stands in a note, the result is the function's.
    for text in ("", "[]", '{"package": "../../x.pt2", "gives": null}', '{"package": 3}'):
        note.write_text(text)
        assert_equal(compiled.compile_step(decay, print)(*ARGUMENTS), expected)

    def scaled(factor):
        return lambda state, inputs, rate: decay(state, inputs, rate, factor=factor)

    for factor in (0.5, 0.25):  # the same source, but not the same function
        function = scaled(factor)
        assert_equal(compiled.compile_step(function, print)(*ARGUMENTS), function(*ARGUMENTS))


def test_a_tensor_given_twice_is_two_inputs(cache):
    same = torch.ones(37)
    step = compiled.compile_step(decay, print)
    state = State(same, torch.zeros(()))
    assert_equal(step(state, same, ARGUMENTS[2]), decay(state, same, ARGUMENTS[2]))
    other = 2 * torch.ones(37)
    assert_equal(step(state, other, ARGUMENTS[2]), decay(state, other, ARGUMENTS[2]))


def test_the_cache_keeps_what_was_used_last(cache, monkeypatch):
    monkeypatch.setattr(toolchain, "KEPT", 2)
    cache.mkdir()
    for age, name in enumerate(("new", "old", "older")):
        for suffix in (".pt2", ".json"):
            (cache / f"{name}{suffix}").write_text("")
            os.utime(cache / f"{name}{suffix}", (1e9 - age, 1e9 - age))
    step = compiled.compile_step(decay, print)
    assert_equal(step(*ARGUMENTS), decay(*ARGUMENTS))
    assert len(list(cache.glob("*.pt2"))) == 2
    assert (cache / "new.pt2").exists()


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PPOC_CACHE", str(tmp_path / "file" / "cache"))
    assert_equal(compiled.compile_step(decay, print)(*ARGUMENTS), decay(*ARGUMENTS))


TOGETHER = """\
import shutil, sys, time
import torch
from ppoc.runtime.learning import compiled
sys.path.insert(0, sys.argv[1])
from test_compiled import ARGUMENTS, decay
torch.set_num_threads(1)
def compile(graph, inputs, package, message):
    time.sleep(1)  # until the other one waits
    shutil.copyfile(sys.argv[2], package)
compiled._compile = compile
step = compiled.compile_step(decay, lambda text: print(text, flush=True))
print([float(x.sum()) for x in step(*ARGUMENTS)[1:]])
"""


def test_of_processes_that_need_one_function_one_compiles_it(cache, tmp_path):
    """Also where the first is killed: then another does."""
    compiled.compile_step(decay, print)(*ARGUMENTS)
    (package,) = cache.glob("*.pt2")
    made = package.rename(tmp_path / "package")
    for note in cache.glob("*.json"):
        note.unlink()
    command = [sys.executable, "-c", TOGETHER, Path(__file__).parent, made]
    start = partial(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
    killed = start()
    assert killed.stdout.readline().startswith("compiling")
    others = [start(), start()]
    killed.kill()
    killed.communicate()
    said = [process.communicate(timeout=120)[0].splitlines() for process in others]
    assert sorted(lines[0].partition(" ")[0] for lines in said) == ["compiling", "waiting"]
    assert [len(lines) for lines in said] == [2, 2]
    assert said[0][1] == said[1][1]
    assert list(cache.glob("*.pt2")) == [package]
    assert not list(cache.glob("*.lock"))
