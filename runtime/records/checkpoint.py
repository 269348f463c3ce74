"""Checkpoints: tensors as safetensors, everything else as JSON, written whole or not at all.

    checkpoints/
        step-000000204800/
            tensors.safetensors
            checkpoint.json         {"format": 1, "step": …, "sha256": …, "metadata": {…}}

A checkpoint is written under a temporary name beside its final one and renamed when it is on the
disk, so that a crash or a full disk leaves the one before it intact; an older one goes only when
the new one is on the disk. Nothing is pickled: reading a checkpoint cannot run code.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from ppoc.formats.documents import Format, NewerError, parse_document, read_document
from ppoc.formats.files import sync_folder, write_whole
from ppoc.formats.folders import remove
from ppoc.formats.reading import FormatError, open_regular
from ppoc.formats.text import is_printable, lines, printable

CHECKPOINT = Format("checkpoint", 1)
MAX_TENSORS = 2**34  # bytes
MAX_HEADER = 2**24
MAX_NAME = 500  # characters
TENSORS = "tensors.safetensors"
DOCUMENT = "checkpoint.json"
_NAME = re.compile(r"step-\d{12,}")


class CheckpointError(Exception):
    """A checkpoint is missing, damaged, or of a format that this version does not read."""


class NewerCheckpointError(CheckpointError):
    """A checkpoint of a format that only a newer ppoc reads."""


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor | NDArray[Any]],
    metadata: Mapping[str, Any],
    *,
    keep: int | None = 3,
) -> Path:
    """Write a checkpoint for environment step `step` into `folder`, and return its path.

    Only one process may save into a folder at a time.

    Args:
        tensors: of any shapes, from any device.
        metadata: what JSON can hold; floats come back exactly, NaN and infinities included.
        keep: how many of the newest checkpoints stay; None keeps all.

    Raises:
        OSError: the disk is full or cannot be written. Earlier checkpoints are untouched.
        TypeError: JSON cannot hold the metadata.
    """
    from safetensors.torch import save as to_bytes

    data = to_bytes({name: _on_cpu(value) for name, value in tensors.items()})
    document = {
        "format": CHECKPOINT.version,
        "step": step,
        "sha256": hashlib.sha256(data).hexdigest(),
        "metadata": dict(metadata),
    }
    text = json.dumps(document, indent=2) + "\n"
    folder.mkdir(exist_ok=True)  # not its parents: a run folder that was removed stays removed
    clean(folder)
    final = folder / f"step-{step:012d}"
    temporary, replaced = (folder / f".{final.name}.{kind}" for kind in ("part", "old"))
    try:
        temporary.mkdir()
        write_whole(temporary / TENSORS, data)
        write_whole(temporary / DOCUMENT, text)
        if final.exists():
            final.rename(replaced)
        temporary.rename(final)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        clean(folder)
        raise
    _remove(replaced)
    if keep is not None:
        others = [path for path in _complete(folder) if path != final]
        for old in others[: max(len(others) - (keep - 1), 0)]:
            _remove(old)
    return final


def clean(folder: Path) -> None:
    """Put in order what a process that was killed while it saved left behind."""
    with contextlib.suppress(OSError):  # what cannot be changed can still be read
        for part in folder.glob(".step-*.part"):
            remove(part)
        for replaced in folder.glob(".step-*.old"):
            final = folder / replaced.name.removeprefix(".").removesuffix(".old")
            if final.exists():
                remove(replaced)
            else:
                replaced.rename(final)


def _remove(path: Path) -> None:
    # Under another name first, so that a half-removed checkpoint is none; and no failure to tidy up
    # is worth ending a run that has just saved.
    with contextlib.suppress(OSError):
        gone = path.with_name(f".{path.name.lstrip('.')}.part")
        path.rename(gone)
        shutil.rmtree(gone)


def latest(folder: Path) -> Path | None:
    """The complete checkpoint with the highest step in `folder`, or None."""
    complete = _complete(folder)
    return complete[-1] if complete else None


class Loaded(NamedTuple):
    """A checkpoint, and what is wrong with those after it."""

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, Any]
    damaged: list[tuple[Path, CheckpointError]]  # newer ones that cannot be read, newest first


def load_newest(folder: Path) -> Loaded | None:
    """The newest checkpoint of a folder that can be read; None where there is none at all.

    A warning names it and the newer ones that cannot be read, once in a process.

    Raises:
        CheckpointError: there are some, and none can be read, or one is of a newer format.
    """
    damaged: list[tuple[Path, CheckpointError]] = []
    for path in reversed(_complete(folder)):
        try:
            found = Loaded(path, *load(path), damaged)
        except NewerCheckpointError:
            raise  # it is not damaged, and what it holds is not to be trained again
        except CheckpointError as error:
            damaged.append((path, error))
            continue
        if damaged:
            _warn(f"going back to {path}, because what is newer cannot be read:{_causes(damaged)}")
        return found
    if damaged:
        raise CheckpointError(f"no checkpoint in {folder} can be read:{_causes(damaged)}")
    return None


def _causes(damaged: list[tuple[Path, CheckpointError]]) -> str:
    return "".join(f"\n  {error}" for _, error in damaged)


@functools.cache  # what evaluates and then films reads the same checkpoint twice
def _warn(text: str) -> None:
    print(lines(f"warning: {text}"), file=sys.stderr)


def newest_good(folder: Path) -> Path | None:
    """The newest checkpoint of a folder whose tensors match their checksum, read in pieces."""
    return next((path for path in reversed(_complete(folder)) if _matches(path)), None)


def _matches(path: Path) -> bool:
    try:
        expected = read_document(path / DOCUMENT).get("sha256")
        with open_regular(path / TENSORS) as file:
            _check_size(file, path)
            return bool(hashlib.file_digest(file, "sha256").hexdigest() == expected)
    except (OSError, FormatError, CheckpointError):
        return False


def set_aside(path: Path) -> None:
    """Rename a damaged checkpoint, so that a run that goes on from an older one never meets it.

    Raises:
        OSError: it cannot be renamed.
    """
    aside, number = path.with_name(f"{path.name}.damaged"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    path.rename(aside)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint: its tensors, on the CPU, and its metadata.

    Raises:
        CheckpointError: it is missing, damaged, no regular file, or of a newer format.
    """
    try:
        document = CHECKPOINT.current(read_document(path / DOCUMENT))
        with open_regular(path / TENSORS, MAX_TENSORS) as file:
            _check_size(file, path)
            data = file.read()
    except FileNotFoundError as error:
        raise CheckpointError(f"no checkpoint at {path}: {error.filename} is missing") from error
    except NewerError as error:
        raise NewerCheckpointError(f"the checkpoint {path} cannot be read: {error}") from error
    except (FormatError, OSError) as error:
        raise CheckpointError(f"the checkpoint {path} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != document.get("sha256"):
        raise CheckpointError(
            f"the checkpoint {path} is damaged: {TENSORS} does not match the checksum in {DOCUMENT}"
        )
    metadata, step = document.get("metadata"), document.get("step")
    if not isinstance(metadata, dict) or type(step) is not int or not 0 <= step < 10**15:
        raise CheckpointError(f"the checkpoint {path} is damaged: {DOCUMENT} lacks a step")
    return _tensors(path, data), metadata


def _check_size(file: BufferedReader, path: Path) -> None:
    """See that a file of tensors is as large as its header says, before it is read to its end.

    Raises:
        CheckpointError: it is not, or has no proper header.
    """
    size, length = os.fstat(file.fileno()).st_size, int.from_bytes(file.read(8), "little")
    try:
        if length > MAX_HEADER:
            raise FormatError("it is too long")
        entries = parse_document(file.read(length)).items()
        ends = [int(entry["data_offsets"][1]) for name, entry in entries if name != "__metadata__"]
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"the checkpoint {path} is damaged: {TENSORS} has no proper header ({error})"
        ) from error
    if size != 8 + length + max(ends, default=0):
        raise CheckpointError(
            f"the checkpoint {path} is damaged: {TENSORS} is not as large as its header says"
        )
    file.seek(0)


def _tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    try:
        tensors = from_bytes(data)
    # Besides its own error the library raises what torch and Python say of odd types and shapes.
    except (SafetensorError, LookupError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"the checkpoint {path} is damaged: {error}") from error
    odd = next((name for name in tensors if not is_printable(name) or len(name) > MAX_NAME), None)
    if odd is not None:
        raise CheckpointError(
            f"the checkpoint {path} is damaged: a tensor has the name {printable(odd, MAX_NAME)}"
        )
    return tensors


def _complete(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [
        path
        for path in folder.iterdir()
        if _NAME.fullmatch(path.name) and (path / DOCUMENT).is_file() and (path / TENSORS).is_file()
    ]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def _on_cpu(value: Tensor | NDArray[Any]) -> Tensor:
    # A copy of its own for each, because safetensors refuses tensors that share memory.
    tensor = torch.as_tensor(value).detach().cpu()
    return tensor.clone(memory_format=torch.contiguous_format)
