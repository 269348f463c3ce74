"""Whatever is done to a file that ppoc reads, the outcome is what it holds or the documented error.

`pytest -m slow tests/test_fuzz_files.py` tries 3,000 changes of each kind and writes what came of
them to benchmarks/results/fuzz-files.md. Specs and RL Zoo's files have fuzz tests of their own
besides, which know their languages: tests/compiler/test_fuzz.py, tests/importing/test_fuzz.py.
"""

import hashlib
import io
import json
import platform
import random
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ppoc.cli.folders import RunFolder
from ppoc.compiler.front.diagnostics import SpecError, render
from ppoc.compiler.output.manifest import FolderError, read_manifest
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.draft.agent.asked import AGENT, answer_paths
from ppoc.draft.models.grounding import grounded
from ppoc.formats.reading import FormatError
from ppoc.importing.rl_zoo import convert
from ppoc.importing.sb3 import read_model, read_statistics
from ppoc.reporting.folders import read_curve
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.records import evaluations
from ppoc.runtime.records.checkpoint import CheckpointError
from ppoc.runtime.records.metrics import read_rows
from ppoc.runtime.run.layout import Groups, check_training, whole_steps
from ppoc.runtime.run.results import read_result

ROOT = Path(__file__).parents[1]
RUN = ROOT / "tests" / "artefacts" / "pendulum"
CHECKPOINT = RUN / "checkpoints" / "step-000000000256"
FEW, MANY = 40, 3_000
FOLDER = tempfile.TemporaryDirectory(prefix="ppoc-test-")  # removed when the tests are over
HERE = Path(FOLDER.name)

FRAGMENTS = [
    *(b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n", b"\x1b[2J", b"\xe2\x80\xa8"),
    *(b"NaN", b"-Infinity", b"1e999", b"-1", b"9" * 400, b"true", b"null", b'""', b"'"),
    *(b"{", b"}", b"[" * 200, b"]", b"{}", b"[]", b":", b",", b'"a": 1, "a": 2', b"\\ud800"),
    *(b"!!python/object/apply:os.system [x]", b"&a", b"*a", b"<<: *a", b"__import__('os')"),
    *(b"../../etc/passwd", b"step", b"F32", b"I64", b"format", b"2", b"extends: /etc/a.yaml\n"),
]
VALUES = [None, True, -1, 0, 2, 10**30, 1e300, float("nan"), float("inf"), "", "x", [], [[]], {}]


def changed(data: bytes, rng: random.Random) -> bytes:
    """Some bytes with one to four changes: flipped, cut, doubled, or nonsense put in."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((0, 1, 1, 4, 30)))
        middle = data[start:end]
        kind = rng.random()
        if kind < 0.4:
            middle = bytes(x ^ (1 << rng.randrange(8)) for x in middle)
        elif kind < 0.5:
            data = data[:start]
        elif kind < 0.6:
            middle = middle * 3
        else:
            middle = rng.choice(FRAGMENTS)
        data = data[:start] + middle + data[end:]
    return data


def replaced(value, rng: random.Random):
    """Plain data with one value of it replaced, or a key more or less."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.1:
            return {k: x for k, x in value.items() if k != key}
        if kind < 0.2:
            return {**value, rng.choice(("format", "x", key * 2)): rng.choice(VALUES)}
        return {**value, key: replaced(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], replaced(value[at], rng), *value[at + 1 :]]
    return rng.choice(VALUES)


def json_of(path: Path, rng: random.Random) -> bytes:
    """A JSON file, changed as data or as text."""
    data = path.read_bytes()
    if rng.random() < 0.6:
        return json.dumps(replaced(json.loads(data), rng)).encode()
    return changed(data, rng)


def written(name: str, data: bytes) -> Path:
    path = HERE / name
    path.write_bytes(data)
    return path


def told(error: SpecError) -> str:
    assert all(c.isprintable() or c == "\n" for c in render(error.diagnostics))
    return error.diagnostics[0].code


def spec(rng: random.Random, source: Path = ROOT / "specs" / "ppo" / "pendulum.yaml") -> str:
    path = written("spec.yaml", changed(source.read_bytes(), rng))
    try:
        resolve(path)
    except SpecError as error:
        return told(error)
    return "read"


def lock(rng: random.Random) -> str:
    return spec(rng, RUN / "spec.lock.yaml")


def manifest(rng: random.Random) -> str:
    written("manifest.json", json_of(RUN / "manifest.json", rng))
    try:
        read_manifest(HERE)
    except FolderError:
        return "refused"
    return "read"


def tensor_file(rng: random.Random) -> bytes:
    """Tensors under a header that is made up, or bytes that are changed anywhere."""
    data = (CHECKPOINT / checkpoints.TENSORS).read_bytes()
    if rng.random() < 0.4:
        return changed(data, rng)
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(replaced(json.loads(data[8 : 8 + size]), rng)).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def checkpoint(rng: random.Random) -> str:
    """Read and compared with its module, as a run that goes on does, with a checksum that fits."""
    path = HERE / CHECKPOINT.name
    path.mkdir(exist_ok=True)
    tensors = tensor_file(rng) if rng.random() < 0.7 else None
    data = (CHECKPOINT / checkpoints.TENSORS).read_bytes() if tensors is None else tensors
    (path / checkpoints.TENSORS).write_bytes(data)
    document = json.loads((CHECKPOINT / checkpoints.DOCUMENT).read_text())
    document["sha256"] = hashlib.sha256(data).hexdigest()
    source = written("document", json.dumps(document).encode())
    text = source.read_bytes() if tensors is not None else json_of(source, rng)
    (path / checkpoints.DOCUMENT).write_bytes(text)
    try:
        found, metadata = checkpoints.load(path)
        check_training(MODULE, Groups(found, path), whole_steps(metadata, path))
    except CheckpointError:
        return "refused"
    return "read"


MODULE = RunFolder.open(RUN).module


def metrics(rng: random.Random) -> str:
    path = written("metrics.csv", changed((RUN / "metrics.csv").read_bytes(), rng))
    outcome = "read"
    try:
        list(read_rows(path))
    except FormatError:
        outcome = "refused"
    read_curve(path.parent, [])  # what cannot be read, it leaves out
    return outcome


def evaluation_rows(rng: random.Random) -> str:
    """Rows up to the step stay, of those that are rows."""
    path = written(evaluations.NAME, changed((RUN / evaluations.NAME).read_bytes(), rng))
    try:
        evaluations.drop_after(HERE, 256)
    except FormatError:
        return "refused"
    lines = path.read_bytes().split(b"\n")  # a carriage return is white space of JSON
    assert all(json.loads(line)["steps"] <= 256 for line in lines if line)
    return "read"


def result(rng: random.Random) -> str:
    written("result.json", json_of(RUN / "result.json", rng))
    try:
        read_result(HERE)
    except FormatError:
        return "refused"
    return "read"


def packed(**entries: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, data in entries.items():
            file.writestr(name.replace("_", "."), data)
    return stream.getvalue()


def sb3(rng: random.Random) -> str:
    """An archive, or an archive of parts, of which one is changed."""
    stream = io.BytesIO()
    torch.save({"action_net.weight": torch.zeros(2, 64), "log_std": torch.zeros(2)}, stream)
    settings_ = {"n_steps": 64, "clip_range": 0.2, "vf_coef": 0.5, "policy_kwargs": {"a": [1]}}
    parts = {"data": json.dumps(settings_).encode(), "policy_pth": stream.getvalue()}
    kind = rng.choice(("data", "policy_pth", "whole"))
    if kind != "whole":
        parts[kind] = changed(parts[kind], rng)
    data = packed(**parts)
    path = written("model.zip", changed(data, rng) if kind == "whole" else data)
    try:
        read_model(path)
    except SpecError as error:
        return told(error)
    return "read"


def statistics(rng: random.Random) -> str:
    import numpy as np

    stream = io.BytesIO()
    np.savez(stream, mean=np.zeros(3), var=np.ones(3), count=9.0, clip=10.0)
    try:
        read_statistics(written("statistics.npz", changed(stream.getvalue(), rng)))
    except SpecError as error:
        return told(error)
    return "read"


ZOO = b"""\
Pendulum-v1: &pendulum
  n_envs: 4
  n_timesteps: !!float 1e5
  learning_rate: lin_2.5e-4
  normalize: "{'norm_obs': False, 'norm_reward': True}"
CartPole-v1:
  <<: *pendulum
  policy: 'MlpPolicy'
  policy_kwargs: "dict(log_std_init=-2, net_arch=dict(pi=[256, 256], vf=[256, 256]))"
"""


def rl_zoo(rng: random.Random) -> str:
    try:
        found = list(convert(written("ppo.yml", changed(ZOO, rng)), "ppo"))
    except SpecError as error:
        return told(error)
    return "refused" if any(one.problems for one in found) else "read"


REQUEST = "PPO on CartPole with clip 0.1, 8 environments, gamma 0.99 and 2 layers of 64"
PATHS = list(answer_paths())


def answer(rng: random.Random) -> str:
    """A model's answer of any types: what is kept stands in the request and fits its field."""
    names = [path.replace(".", "_") for path in PATHS]
    odd = [*VALUES, 0.1, 8, 0.99, [64, 64], "ppo", "CartPole-v1", {"a": 1}, [None], [{}], ["x"]]
    fields = {name: rng.choice(odd) for name in rng.sample(names, 6)}
    quotes = {name: rng.choice((*odd, "clip 0.1", "8 environments")) for name in fields}
    given = SimpleNamespace(evidence=rng.choice((quotes, quotes, *VALUES)), **fields)
    claims, rejected = grounded(given, REQUEST, PATHS, AGENT)
    assert all(0 <= claim.start < claim.end <= len(REQUEST) for claim in claims)
    return "read" if claims else "refused" if rejected else "nothing"


FORMULA = b"min(ratio * A, clip(ratio, 1 - epsilon, 1 + epsilon) * A) - 0.1 * kl"


def formula(rng: random.Random) -> str:
    text = changed(FORMULA, rng).decode(errors="replace")
    base = "ppoc: 1\nname: x\nalgorithm: ppo\nenv: {id: CartPole-v1}\nlosses: {policy: {objective: "
    try:
        _ = resolve_text(f"{base}{json.dumps(text)}}}}}\n", "spec.yaml").spec.policy_objective
    except SpecError as error:
        return told(error)
    return "read"


KINDS = {
    "spec": spec,
    "lock": lock,
    "manifest.json": manifest,
    "checkpoint": checkpoint,
    "metrics.csv": metrics,
    "evaluations.jsonl": evaluation_rows,
    "result.json": result,
    "Stable-Baselines3 model": sb3,
    "VecNormalize statistics": statistics,
    "RL Zoo file": rl_zoo,
    "model's answer": answer,
    "formula": formula,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_is_read_or_refused(kind):
    @settings(max_examples=FEW, deadline=None)
    @given(st.integers(0, 2**63 - 1))
    def try_one(seed):
        KINDS[kind](random.Random(seed))

    try_one()


@pytest.mark.slow
def test_many_thousands():
    """The same, many times; what came of them is recorded."""
    lines = [
        "# Changed files",
        "",
        "`pytest -m slow tests/test_fuzz_files.py`, on "
        f"{platform.machine()} with Python {platform.python_version()}, torch {torch.__version__}.",
        "Each file is changed in one to four places, or as data; what is not read must be told by",
        "the documented error.",
        "",
        "| file | changed | outcome | seconds |",
        "| --- | --- | --- | --- |",
    ]
    for kind, try_one in KINDS.items():
        began, counts = time.monotonic(), Counter()
        for seed in range(MANY):
            counts[try_one(random.Random(f"{kind} {seed}"))] += 1
        said = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.most_common())
        lines.append(f"| {kind} | {MANY:,} | {said} | {time.monotonic() - began:.0f} |")
        # A row of evaluations that is none is dropped, so that all are read.
        assert len(counts) > 1 or kind == evaluations.NAME
    path = ROOT / "benchmarks" / "results" / "fuzz-files.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
