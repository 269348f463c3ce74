"""A policy as a file that other programs run: ONNX, TorchScript, torch.export.

Each file is loaded again and compared with the module before it gets its name.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from torch.export import Dim

from ppoc.exporting import interface
from ppoc.exporting.policy import Example, ExportError, Policy, compare, load
from ppoc.formats.files import create_file

Format = Literal["onnx", "torchscript", "torch-export"]
FILES: dict[Format, str] = {
    "onnx": "policy.onnx",
    "torchscript": "policy.pt",
    "torch-export": "policy.pt2",
}
ONNX_PACKAGES = "onnx, onnxscript and onnxruntime: `pip install 'ppoc[export]'`"

Run = Callable[..., list[Any]]


def export(module: ModuleType, folder: Path, form: Format, out: Path) -> list[str]:
    """Write the policy of a run folder in a format; any number of observations fits its input.

    The file carries its interface as JSON.

    Returns: the interface in lines of text.

    Raises:
        ExportError: packages are missing, or the policy cannot be exported or differs.
        RunError, CheckpointError, EnvironmentFailure: as `ppoc.exporting.policy.load`.
        OSError: the file cannot be written.
    """
    policy, example, expected = load(module, folder)
    part = out.with_name(f".{out.name}.part{out.suffix}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        create_file(part).close()  # so that what writes to it follows no link
        with _quiet():
            text = interface.document(policy.environment, module.ENV_ID)
            run = WRITERS[form](policy, example, part, text)
        compare(run, example, expected)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return interface.lines(policy.environment)


def _onnx(policy: Policy, example: Example, path: Path, text: str) -> Run:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 - torch.onnx needs it, and says so less plainly
    except ImportError as error:
        raise ExportError(f"ONNX needs the packages {ONNX_PACKAGES}") from error
    batch = Dim("batch")
    program = torch.onnx.export(
        policy,
        example.inputs,
        dynamo=True,
        input_names=example.names,
        output_names=[part.name for part in interface.outputs(policy.environment)],
        dynamic_shapes=_dynamic(example, batch),
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props[interface.KEY] = text
    program.save(path, external_data=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(*inputs: Any) -> list[Any]:
        outputs: list[Any] = session.run(None, dict(zip(example.names, inputs, strict=True)))
        return outputs

    return run


def _torchscript(policy: Policy, example: Example, path: Path, text: str) -> Run:
    with torch.no_grad():
        traced = torch.jit.trace(policy, example.inputs)  # type: ignore[no-untyped-call]
    torch.jit.save(traced, path, _extra_files={interface.FILE: text})
    return _of_torch(torch.jit.load(path))  # type: ignore[no-untyped-call]


def _torch_export(policy: Policy, example: Example, path: Path, text: str) -> Run:
    with torch.no_grad():
        program = torch.export.export(
            policy, example.inputs, dynamic_shapes=_dynamic(example, Dim.DYNAMIC)
        )
    torch.export.save(program, path, extra_files={interface.FILE: text})
    return _of_torch(torch.export.load(path).module())


WRITERS: dict[Format, Callable[[Policy, Example, Path, str], Run]] = {
    "onnx": _onnx,
    "torchscript": _torchscript,
    "torch-export": _torch_export,
}


def _dynamic(example: Example, batch: Any) -> Any:
    """The first axis of every input is the batch, of any size; forward takes them as `*inputs`."""
    return (tuple({0: batch} for _ in example.inputs),)


def _of_torch(function: Callable[..., Any]) -> Run:
    def run(*inputs: Any) -> list[Any]:
        with torch.no_grad():
            outputs = function(*map(torch.as_tensor, inputs))
        parts = outputs if isinstance(outputs, tuple) else (outputs,)
        return [part.numpy() for part in parts]

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' remarks about themselves."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
