"""Runs in processes of their own, which are killed; and what is left of them, to be compared."""

import contextlib
import csv
import hashlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ppoc.runtime.records import checkpoint as checkpoints

# A fork of a process that has imported torch already starts in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["torch", "gymnasium", "mujoco", "envpool", "numpy.random", "ppoc.runtime", "safetensors.torch"]
)

PATIENCE = 300  # seconds that a run may take, with the compiling of an update

# Calls that change files for good: a process that dies between two leaves what is on the disk.
DURABLE = ("fsync", "rename", "replace", "unlink", "rmdir", "mkdir")


class Ending(NamedTuple):
    """All that a run leaves, except what tells the time."""

    tensors: str
    checkpoint: str  # its document
    metrics: str
    evaluations: str
    result: str


def ending(folder: Path) -> Ending:
    """The ending of a finished run."""
    path = checkpoints.latest(folder / "checkpoints")
    assert path is not None, f"{folder} has no checkpoint"
    digest = hashlib.sha256(path.name.encode())
    tensors, _ = checkpoints.load(path)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    result = json.loads((folder / "result.json").read_text())
    assert result.pop("finished") is True
    del result["seconds"]
    evaluations = folder / "evaluations.jsonl"
    return Ending(
        digest.hexdigest(),
        (path / checkpoints.DOCUMENT).read_text(),
        json.dumps(metrics(folder)),
        evaluations.read_text() if evaluations.exists() else "",
        json.dumps(result),
    )


def metrics(folder: Path) -> list[dict[str, str]]:
    """Rows of metrics.csv without the speed."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k != "steps_per_second"} for row in rows]


def start(
    module: Path,
    folder: Path,
    *,
    resume: bool = False,
    die_at: int | None = None,
    stop_at: int | None = None,
) -> Any:
    """Begin a run in a process of its own.

    Args:
        die_at: kill it before its so manieth change of files that is durable, counted from 0.
        stop_at: send it SIGTERM in the iteration of that number, counted from 1 and from here.
    """
    folder.mkdir(exist_ok=True)
    process = _CONTEXT.Process(target=_train, args=(module, folder, resume, die_at, stop_at))
    process.start()
    return process


def finish(
    module: Path,
    folder: Path,
    *,
    resume: bool = False,
    die_at: int | None = None,
    stop_at: int | None = None,
) -> int:
    """Run until the end, or the death: the exit code, which is negative for a signal."""
    process = start(module, folder, resume=resume, die_at=die_at, stop_at=stop_at)
    process.join(PATIENCE)
    assert process.exitcode is not None, "the run hangs"
    return int(process.exitcode)


def stop_after(process: Any, seconds: float, number: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal some time after the training process began to work; its exit code."""
    process.join(seconds)
    if process.exitcode is None:
        os.kill(process.pid, number)
        process.join(PATIENCE)
    assert process.exitcode is not None, "the run hangs"
    return int(process.exitcode)


def _train(
    module: Path, folder: Path, resume: bool, die_at: int | None, stop_at: int | None
) -> None:
    import torch

    from ppoc.runtime.run.launch import execute, load_module

    torch.set_num_threads(1)
    if die_at is not None:
        count_durable(lambda count: count == die_at and os.kill(os.getpid(), signal.SIGKILL))
    if stop_at is not None:
        stop_in_iteration(stop_at)
    execute(load_module(module), folder, device="cpu", resume=resume, mode="quiet")


def stop_in_iteration(number: int) -> None:
    """Send this process SIGTERM in an iteration."""
    from ppoc.runtime.run.run import Run

    log, done = Run.log, 0

    def counted(*arguments: Any) -> None:
        nonlocal done
        done += 1
        if done == number:
            os.kill(os.getpid(), signal.SIGTERM)
        log(*arguments)

    Run.log = counted


def count_durable(tell: Callable[[int], Any]) -> None:
    """Call `tell` before each durable change of files with how many there were."""
    count = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            tell(count)
            count += 1
            return change(*arguments, **named)

        return call

    for name in DURABLE:
        setattr(os, name, counted(getattr(os, name)))


def durable_changes(module: Path, folder: Path) -> int:
    """How many durable changes of files an uninterrupted run makes."""
    folder.mkdir()
    counts = folder.parent / f"{folder.name}.counts"
    process = _CONTEXT.Process(target=_count, args=(module, folder, counts))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    return int(counts.read_text())


def _count(module: Path, folder: Path, counts: Path) -> None:
    last = 0

    def note(count: int) -> None:
        nonlocal last
        last = count + 1

    count_durable(note)
    _train(module, folder, False, None, None)
    counts.write_text(str(last))


def duration(module: Path, folder: Path) -> float:
    """Seconds that an uninterrupted run takes, which it leaves in `folder`."""
    first = _CONTEXT.Process(target=int)
    first.start()  # which starts the server that forks, if it is not there yet
    first.join()
    began = time.perf_counter()
    assert finish(module, folder) == 0
    return time.perf_counter() - began


def finished(folder: Path) -> bool:
    """Whether the run came to its end."""
    with contextlib.suppress(OSError, ValueError):
        return bool(json.loads((folder / "result.json").read_text())["finished"])
    return False
