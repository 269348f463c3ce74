"""Files of Stable-Baselines3, read as data: a model's settings and weights, and statistics.

A model is a zip file: `data`, the settings as JSON, in which what JSON cannot hold is pickled
beside a readable summary, and `policy.pth`, the weights. Only the JSON, the summaries and, with
torch's `weights_only`, the weights are read: nothing is unpickled that could run code. That also
leaves out the statistics of VecNormalize, which lie in a pickle of their own.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.formats.documents import parse_document
from ppoc.formats.reading import read_regular

MAX_BYTES = {"data": 50_000_000, "policy.pth": 4_000_000_000}
MAX_PARTS, MAX_RATIO = 64, 100  # of a model file: entries, and how much smaller packing made one
MAX_STATISTICS = 1_000_000  # bytes
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
OWN_EPSILON = 1e-8  # that ppoc adds to a variance


class Model(NamedTuple):
    """The contents of a model file: settings by their names there, and weights by theirs."""

    settings: dict[str, Any]
    weights: dict[str, Tensor]


class Statistics(NamedTuple):
    """VecNormalize's statistics of observations: mean [O], variance [O], samples, and its clip."""

    mean: np.ndarray[Any, Any]
    var: np.ndarray[Any, Any]
    samples: float
    clip: float


def read_model(path: Path) -> Model:
    """The settings and the weights of a model file.

    Raises:
        SpecError: E903, it is no such file, or damaged.
    """
    try:
        packed = read_regular(path, MAX_BYTES["policy.pth"])
        with zipfile.ZipFile(io.BytesIO(packed)) as file:
            data = parse_document(_part(file, "data"))
            weights_bytes = _part(file, "policy.pth")
    except Exception as error:  # zipfile and zlib raise as many kinds as a file can be wrong
        raise refusal(f"{path} cannot be read as a model: {_first(error)}") from error
    try:
        _check_archive(weights_bytes)
        weights = torch.load(io.BytesIO(weights_bytes), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises UnpicklingError, and more, on what it refuses
        raise refusal(f"the weights in {path} cannot be read: {_first(error)}") from error
    tensors = isinstance(weights, Mapping) and all(
        isinstance(name, str) and _is_plain(value) for name, value in weights.items()
    )
    if not tensors:
        raise refusal(f"{path} holds no settings with weights")
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise refusal(f"the weights in {path} are not finite: {name[:80]}")
    return Model(data, dict(weights))


def read_statistics(path: Path) -> Statistics:
    """Statistics from an .npz file with `mean`, `var`, `count` and `clip`.

    An `epsilon` that is not ppoc's own becomes part of the variance.

    Raises:
        SpecError: E903, it is not such a file.
    """
    help = "save mean, var, count and clip with numpy.savez, as docs/importing.md shows"
    try:
        packed = read_regular(path, MAX_STATISTICS)
        _check_archive(packed)
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            mean, var = (np.asarray(file[key], np.float64) for key in ("mean", "var"))
            count, clip = (float(file[key]) for key in ("count", "clip"))
            epsilon = float(file["epsilon"]) if "epsilon" in file else OWN_EPSILON
    except Exception as error:  # numpy raises as many kinds as a file can be wrong
        raise refusal(f"{path} cannot be read as statistics: {_first(error)}", help) from error
    valid = mean.shape == var.shape and np.isfinite(mean).all() and (var >= 0).all()
    if not (valid and mean.ndim == 1 and count >= 0 and 0 < clip < np.inf and epsilon >= 0):
        message = f"{path} does not hold the mean and the variance of a vector"
        raise refusal(message, help)
    var = var + (epsilon - OWN_EPSILON)
    if not (np.isfinite(var).all() and (var >= 0).all()):
        message = f"the epsilon {epsilon:g} in {path}, with its variances, is not ppoc's 1e-8"
        raise refusal(message, help)
    return Statistics(mean, var, count, clip)


def refusal(message: str, help: str = "") -> SpecError:
    """E903 about a model or its statistics."""
    help = help or (
        "give the .zip that `model.save` of Stable-Baselines3's PPO or A2C, or of sb3-contrib's "
        "TRPO or MaskablePPO wrote"
    )
    return SpecError([Diagnostic("E903", message, help=help)])


def _part(file: zipfile.ZipFile, name: str) -> bytes:
    """An entry, of which no more is unpacked than its bounds allow, whatever the file says."""
    _check_entries(file)
    if name not in file.namelist():
        raise ValueError(f"it has no entry {name!r}")
    with file.open(name) as stream:
        # By the size it says: zlib unpacks as much at once as it is asked for.
        data = stream.read(min(file.getinfo(name).file_size, MAX_BYTES[name]) + 1)
    if len(data) > MAX_BYTES[name]:
        raise ValueError(f"{name} is larger than {MAX_BYTES[name]:,} bytes")
    return data


def _check_archive(packed: bytes) -> None:
    """Refuse an archive within that would unpack to much more than it is."""
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        _check_entries(file, most=10_000)


def _check_entries(file: zipfile.ZipFile, most: int = MAX_PARTS) -> None:
    entries = file.infolist()
    if len(entries) > most or len({entry.filename for entry in entries}) < len(entries):
        raise ValueError(f"it has more than {most:,} entries, or one twice")
    for entry in entries:
        if entry.file_size > max(1_000_000, MAX_RATIO * entry.compress_size):
            raise ValueError(f"{entry.filename[:80]!r} unpacks to {entry.file_size:,} bytes")


def _is_plain(value: Any) -> bool:
    """Whether a value is a tensor that takes the memory that it seems to."""
    return isinstance(value, Tensor) and value.dtype in DTYPES and value.is_contiguous()


def _first(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
