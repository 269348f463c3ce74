"""Models that Stable-Baselines3 saved, as run folders.

A model is a zip file: `data`, the settings as JSON, in which what JSON cannot hold is pickled
beside a readable summary, and `policy.pth`, the weights. Only the JSON, the summaries and, with
torch's `weights_only`, the weights are read: nothing is unpickled that could run code. That also
leaves out the statistics of VecNormalize, which lie in a pickle of their own.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ppoc.compiler.build import Compiled, compile_spec
from ppoc.compiler.compact import Note, spec_text
from ppoc.compiler.diagnostics import Diagnostic, SpecError
from ppoc.compiler.probe import package_of
from ppoc.compiler.resolve import resolve_text
from ppoc.compiler.source import Node
from ppoc.formats.documents import parse_document
from ppoc.formats.reading import open_regular, read_regular
from ppoc.importing.entry import Entry
from ppoc.importing.hyperparameters import DEFAULTS, Algorithm, sections
from ppoc.importing.policy import class_name
from ppoc.runtime import checkpoint as checkpoints
from ppoc.runtime.launch import load_module

MAX_BYTES = {"data": 50_000_000, "policy.pth": 4_000_000_000}
MAX_PARTS, MAX_RATIO = 64, 100  # of a model file: entries, and how much smaller packing made one
MAX_STATISTICS = 1_000_000  # bytes
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# Settings of the constructors; the rest of `data` is the state of a training.
SETTINGS = (
    "n_steps",
    "batch_size",
    "n_epochs",
    "n_critic_updates",
    "gamma",
    "gae_lambda",
    "normalize_advantage",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
    "target_kl",
    "use_sde",
    "sde_sample_freq",
    "cg_max_steps",
    "cg_damping",
    "line_search_max_iter",
    "line_search_shrinking_factor",
    "sub_sampling_factor",
    "seed",
)
SCHEDULES = ("learning_rate", "clip_range", "clip_range_vf")
EXTRACTORS = ("FlattenExtractor", "NatureCNN")


class Model(NamedTuple):
    """What a model file says."""

    algorithm: Algorithm
    settings: dict[str, Any]
    weights: dict[str, Tensor]


class Statistics(NamedTuple):
    """VecNormalize's statistics of observations: mean [O], variance [O], samples, and its clip."""

    mean: np.ndarray[Any, Any]
    var: np.ndarray[Any, Any]
    samples: float
    clip: float


class Imported(NamedTuple):
    """A model as a compiled spec and parameters by ppoc's names, still to be written."""

    compiled: Compiled
    weights: dict[str, Tensor]
    statistics: Statistics | None
    steps: int
    notes: list[Note]


def read_model(path: Path) -> Model:
    """The settings and the weights of a model file.

    Raises:
        SpecError: E903, it is no such file, damaged, or of an algorithm that has no spec.
    """
    try:
        with (
            open_regular(path, MAX_BYTES["policy.pth"]) as packed,
            zipfile.ZipFile(packed) as file,
        ):
            data = parse_document(_part(file, "data"))
            weights_bytes = _part(file, "policy.pth")
    except Exception as error:  # zipfile and zlib raise as many kinds as a file can be wrong
        raise _refused(f"{path} cannot be read as a model: {_first(error)}") from error
    try:
        _check_archive(weights_bytes)
        weights = torch.load(io.BytesIO(weights_bytes), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises UnpicklingError, and more, on what it refuses
        raise _refused(f"the weights in {path} cannot be read: {_first(error)}") from error
    tensors = isinstance(weights, Mapping) and all(
        isinstance(name, str) and _is_plain(value) for name, value in weights.items()
    )
    if not tensors:
        raise _refused(f"{path} holds no settings with weights")
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise _refused(f"the weights in {path} are not finite: {name[:80]}")
    return Model(_algorithm(data, weights), data, dict(weights))


def read_statistics(path: Path) -> Statistics:
    """Statistics from an .npz file with `mean`, `var`, `count` and `clip`.

    Raises:
        SpecError: E903, it is not such a file.
    """
    try:
        packed = read_regular(path, MAX_STATISTICS)
        _check_archive(packed)
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            mean, var = (np.asarray(file[key], np.float64) for key in ("mean", "var"))
            count, clip = (float(file[key]) for key in ("count", "clip"))
    except Exception as error:  # numpy raises as many kinds as a file can be wrong
        message = f"{path} cannot be read as statistics: {_first(error)}"
        raise _refused(message, "save mean, var, count and clip with numpy.savez") from error
    valid = mean.shape == var.shape and np.isfinite(mean).all() and (var >= 0).all()
    if not (valid and mean.ndim == 1 and count >= 0 and 0 < clip < np.inf):
        raise _refused(f"{path} does not hold the mean and the variance of a vector")
    return Statistics(mean, var, count, clip)


def convert(
    path: Path,
    env_id: str,
    overrides: list[str] | None = None,
    statistics: Statistics | None = None,
    *,
    trust: bool = False,
) -> Imported:
    """A model file as a spec and parameters.

    Args:
        env_id: what the model acts in, which its file does not say.
        overrides: `key.path=value`, such as how images are resized.
        trust: import code that they name.

    Raises:
        SpecError: E903 as `read_model`, or the model does not fit the environment; and what the
            compiler says of the spec.
    """
    model = read_model(path)
    images = "features_extractor.cnn.0.weight" in model.weights
    entry = Entry(_settings(model, images=images))
    env = _environment(model, env_id, images=images)
    if statistics is not None:
        env["normalize"] = {"observations": True, "clip": statistics.clip}
    num_envs = int(env["num_envs"])
    values = {"env": env, **sections(model.algorithm, entry, num_envs)}
    entry.leave(("training",))
    for key in SCHEDULES:
        if isinstance(model.settings.get(key), dict) and key not in entry:
            text = f"not carried over: {key} is a function, of which the file has only a pickle"
            entry.note(("optimizer",) if key == "learning_rate" else ("losses",), text)
    if entry.wrong:
        raise SpecError(entry.wrong)
    name = re.sub(r"[^a-z0-9.-]+", "-", f"{env_id}-{model.algorithm}".lower()).strip("-.")[:64]
    head = [f"The settings of {path.name}, a model of Stable-Baselines3, imported by ppoc."]
    preset = DEFAULTS[model.algorithm].preset
    text = spec_text(name or "agent", preset, values, entry.notes, head)
    resolved = resolve_text(text, f"{path.name}.yaml", overrides or [])
    compiled = compile_spec(resolved, trust=trust)
    shared = compiled.plan.networks.shared
    weights = _renamed(model.weights, shared=bool(shared))
    _check_shapes(weights, dict(compiled.plan.networks.shapes()))
    steps = model.settings.get("num_timesteps")
    done = steps if type(steps) is int and 0 <= steps < 10**12 else 0
    return Imported(compiled, weights, statistics, done, entry.notes)


def write(imported: Imported, folder: Path) -> None:
    """Write a run folder that evaluates the model: the compiled files and a checkpoint.

    Raises:
        OSError: the folder cannot be written.
        SpecError: E903, the statistics are of another environment.
    """
    groups: dict[str, Any] = {f"parameters.{k}": v for k, v in imported.weights.items()}
    if imported.statistics is not None:
        size = imported.compiled.plan.facts.observation_size
        mean, var, samples, _ = imported.statistics
        if mean.shape != (size,):
            raise _refused(f"statistics of {len(mean)} components for observations of {size}")
        state = {"mean": mean, "var": var, "count": np.array(int(samples))}
        groups |= {f"observations.{key}": value for key, value in state.items()}
    imported.compiled.write(folder)
    load_module(folder / "module.py")  # a module that does not import is no run
    metadata = {"steps": imported.steps, "policy_only": True, "source": "Stable-Baselines3"}
    checkpoints.save(folder / "checkpoints", imported.steps, groups, metadata)


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


def _refused(message: str, help: str = "") -> SpecError:
    help = help or "give the .zip that `model.save` of Stable-Baselines3's PPO or A2C wrote"
    return SpecError([Diagnostic("E903", message, help=help)])


def _first(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


def _algorithm(data: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Algorithm:
    """The algorithm, which only the settings tell."""
    if any("lstm" in name for name in weights):
        raise _refused("models with an LSTM are not read yet")
    if "action_net.weight" not in weights or "vf_coef" not in data:
        raise _refused("the model has no policy with a value function: not PPO or A2C")
    if "cg_max_steps" in data:
        return "trpo"
    return "ppo" if "clip_range" in data else "a2c"


def _settings(model: Model, *, images: bool) -> dict[str, Node]:
    """The settings under the names of the constructors, as an entry of RL Zoo has them."""
    data = model.settings
    found = {key: data[key] for key in SETTINGS if data.get(key) is not None}
    for key in SCHEDULES:
        rate = _rate(data.get(key))
        if rate is not None:
            found[key] = rate
    steps = data.get("_total_timesteps") or data.get("num_timesteps")
    if steps:
        found["n_timesteps"] = steps
    kwargs = data.get("policy_kwargs")
    kwargs = {k: v for k, v in kwargs.items() if k[:1] != ":"} if isinstance(kwargs, dict) else {}
    extractor = class_name(kwargs.pop("features_extractor_class", EXTRACTORS[0]))
    if extractor not in EXTRACTORS:
        raise _refused(f"the model's features come from {extractor[:80]}, which is code of its own")
    kwargs["net_arch"] = {
        name: _widths(model.weights, f"mlp_extractor.{net}_net.")
        for name, net in (("pi", "policy"), ("vf", "value"))
    }
    policy = "CnnPolicy" if images else "MlpPolicy"
    node = _nodes({**found, "policy": policy, "policy_kwargs": kwargs})
    return dict(node.value)


def _rate(value: Any) -> Any:
    """A number, `lin_NUMBER` for one that falls to 0, or None where it is code.

    A schedule prints as ConstantSchedule(val=0.2), or as LinearSchedule(start=…, end=…, …).
    """
    if not isinstance(value, dict):
        return value
    text = str(value.get("value_schedule", ""))
    number = r"([0-9.]+(?:e-?[0-9]+)?)"
    constant = re.fullmatch(rf"ConstantSchedule\(val={number}\)", text)
    if constant:
        return float(constant[1])
    falling = rf"LinearSchedule\(start={number}, end=0(?:\.0)?, end_fraction=1.*\)"
    linear = re.fullmatch(falling, text)
    return f"lin_{linear[1]}" if linear else None


def _widths(weights: Mapping[str, Tensor], prefix: str) -> list[int]:
    return [
        len(tensor)
        for name, tensor in weights.items()
        if name.startswith(prefix) and name.endswith(".weight")
    ]


def _nodes(value: Any) -> Node:
    if isinstance(value, dict):
        return Node({str(key): _nodes(item) for key, item in value.items()})
    if isinstance(value, list):
        return Node([_nodes(item) for item in value])
    return Node(value)


def _environment(model: Model, env_id: str, *, images: bool) -> dict[str, Any]:
    """`env` of a model; of an Atari game, with the preprocessing that its input has."""
    count = model.settings.get("n_envs")
    valid = type(count) is int and 1 <= count <= 100_000
    env: dict[str, Any] = {"id": env_id, "num_envs": count if valid else 1}
    space = model.settings.get("observation_space")
    shape = space.get("_shape") if isinstance(space, dict) else None
    if images and package_of(env_id) == "ale_py" and isinstance(shape, list) and len(shape) == 3:
        env |= {"atari": {"screen_size": shape[1]}, "frame_stack": shape[0]}
    return env


def _renamed(weights: Mapping[str, Tensor], *, shared: bool) -> dict[str, Tensor]:
    """Parameters by ppoc's names."""
    found: dict[str, Tensor] = {}
    bodies = {"features_extractor": "body"} if shared else {}
    if not shared:
        bodies = {"pi_features_extractor": "actor", "vf_features_extractor": "critic"}
    for name, tensor in weights.items():
        owner, _, rest = name.partition(".")
        layer, _, kind = rest.rpartition(".")
        if name == "log_std":
            found[name] = tensor
        elif owner in bodies and re.fullmatch(r"cnn\.[0-9]{1,3}", layer, re.ASCII):
            found[f"{bodies[owner]}.conv.{int(layer[4:]) // 2}.{kind}"] = tensor
        elif owner in bodies and layer == "linear.0":
            found[f"{bodies[owner]}.features.{kind}"] = tensor
        elif owner == "mlp_extractor":
            net, _, index = layer.partition(".")
            ours = {"policy_net": "actor", "value_net": "critic"}.get(net)
            if ours is not None and re.fullmatch(r"[0-9]{1,3}", index, re.ASCII):
                found[f"{ours}.{int(index) // 2}.{kind}"] = tensor
    for head, net, ours in (("action_net", "policy", "actor"), ("value_net", "value", "critic")):
        last = len(_widths(weights, f"mlp_extractor.{net}_net."))
        for kind in ("weight", "bias"):
            if f"{head}.{kind}" in weights:
                found[f"{ours}.{last}.{kind}"] = weights[f"{head}.{kind}"]
    return {name: tensor.float() for name, tensor in found.items()}


def _check_shapes(weights: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        theirs = tuple(weights[name].shape) if name in weights else None
        if theirs != shape:
            has = f"is {list(theirs)}" if theirs else "is missing"
            message = f"the model does not fit the environment: {name} {has}, not {list(shape)}"
            help = "give the --env it was trained in, and its preprocessing with -s env.…"
            raise _refused(message, help)
    extra = sorted(set(weights) - set(shapes))
    if extra:
        raise _refused(f"the model has parameters that the spec has not: {', '.join(extra)[:200]}")
