"""Parsers under atheris, libFuzzer for Python, which looks for inputs that reach new code.

    pip install atheris
    python benchmarks/fuzz_atheris.py manifest -runs=100000

An input that ends in anything but the documented error stops it, and is written as `crash-…`.
libFuzzer's flags follow the parser: `-max_total_time=60`, or a folder of inputs to start from.
"""

import contextlib
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ppoc"]):
    from ppoc.compiler.front.diagnostics import SpecError
    from ppoc.compiler.output.manifest import FolderError, read_manifest
    from ppoc.compiler.resolve import examine, resolve_text
    from ppoc.formats.documents import parse_document
    from ppoc.formats.reading import FormatError
    from ppoc.importing.rl_zoo import convert
    from ppoc.importing.sb3 import read_model, read_statistics
    from ppoc.runtime.records import checkpoint as checkpoints
    from ppoc.runtime.records import evaluations
    from ppoc.runtime.records.metrics import read_rows
    from ppoc.runtime.run.results import read_result

HERE = Path(tempfile.mkdtemp(prefix="ppoc-fuzz-"))


def written(name: str, data: bytes) -> Path:
    """A file of these bytes."""
    path = HERE / name
    path.write_bytes(data)
    return path


def manifest(data: bytes) -> None:
    written("manifest.json", data)
    read_manifest(HERE)


def result(data: bytes) -> None:
    written("result.json", data)
    read_result(HERE)


def checkpoint(data: bytes) -> None:
    """Tensors of a checkpoint, whose checksum fits them."""
    folder = HERE / "step-000000000001"
    folder.mkdir(exist_ok=True)
    (folder / checkpoints.TENSORS).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    document = {"format": 1, "step": 1, "sha256": digest, "metadata": {"steps": 1}}
    (folder / checkpoints.DOCUMENT).write_text(json.dumps(document))
    checkpoints.load(folder)


def evaluation_rows(data: bytes) -> None:
    written(evaluations.NAME, data)
    evaluations.drop_after(HERE, 256)


def formula(data: bytes) -> None:
    text = json.dumps(data.decode(errors="replace"))
    losses = f"losses: {{policy: {{objective: {text}}}}}\n"
    spec = f"ppoc: 1\nname: x\nalgorithm: ppo\nenv: {{id: CartPole-v1}}\n{losses}"
    _ = resolve_text(spec, "spec.yaml").spec.policy_objective


def rl_zoo(data: bytes) -> None:
    list(convert(written("ppo.yml", data), "ppo"))


PARSERS: dict[str, Callable[[bytes], object]] = {
    "spec": lambda data: examine(written("spec.yaml", data)),
    "manifest": manifest,
    "document": parse_document,
    "metrics": lambda data: list(read_rows(written("metrics.csv", data))),
    "result": result,
    "rl-zoo": rl_zoo,
    "checkpoint": checkpoint,
    "evaluations": evaluation_rows,
    "formula": formula,
    "sb3": lambda data: read_model(written("model.zip", data)),
    "statistics": lambda data: read_statistics(written("statistics.npz", data)),
}


def main() -> None:
    """Fuzz the parser that the command line names."""
    name, *flags = sys.argv[1:] or ["?"]
    if name not in PARSERS:
        sys.exit(f"give a parser, one of: {', '.join(PARSERS)}")

    def try_one(data: bytes) -> None:
        with contextlib.suppress(SpecError, FolderError, FormatError, checkpoints.CheckpointError):
            PARSERS[name](data)

    atheris.Setup([sys.argv[0], *flags], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
