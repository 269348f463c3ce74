"""A pure function of tensors, compiled ahead of time and kept for the next run.

`torch.compile` checks on every call that nothing it assumed has changed; for an update of a fifth
of a millisecond that costs as much as the arithmetic. Shapes and settings cannot change within a
run, so on the CPU the function is traced once, compiled by AOTInductor into a shared library, and
called without a check.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

from ppoc.formats.private import UnsafeError, is_private
from ppoc.formats.processes import safe_path
from ppoc.runtime.errors import RunError
from ppoc.runtime.learning import toolchain
from ppoc.runtime.learning.graphs import CudaGraphCall
from ppoc.runtime.learning.structure import Kinds, assemble, flat, kinds, put_together, take_apart

if TYPE_CHECKING:
    from torch.fx import GraphModule

Function = TypeVar("Function", bound=Callable[..., Any])
Run = Callable[[list[Tensor]], list[Tensor]]
Say = Callable[[str], None]

LOADED = 32  # of them in a process
OPTIONS = {
    # Inductor compiles a test program for each instruction set to see whether the compiler knows
    # it: 7 of 19 seconds. It uses only those of the processor, which any such compiler knows.
    "cpp.vec_isa_ok": True,
    # tanh(x) as 2 / (1 + exp(−2x)) − 1, right to 1e-7: a tenth to a fifth of an update's time.
    "cpp.use_decompose_tanh": True,
}

# Packages, named after the code in them, that a thread of this process has loaded: torch never
# unloads one, so the next run of the same spec calls the same.
_loaded: dict[tuple[Path, int], Run] = {}


def compile_step(function: Function, message: Say, *, required: bool = False) -> Function:
    """A compiled form of a function of tensors and NamedTuples of them, compiled at its first call.

    The function returns a tensor, or a tuple of tensors and NamedTuples of them. All later calls
    must have the shapes and types of the first, and lie on the same device.

    Args:
        message: told when the first call has to wait for a compiler, and where none works: then
            the function is called as it is.
        required: raise instead, at once where there is no C++ compiler.

    Raises:
        RunError: it is required and there is no C++ compiler; at the first call: it failed.
    """
    if required:
        toolchain.require_compiler("training.compile is always, and ")
    step: Callable[..., Any] | None = None

    def call(*arguments: Any) -> Any:
        nonlocal step
        if step is None:
            step = build(function, arguments, message, required=required)
            with safe_path():  # on a GPU, the first call compiles
                return step(*arguments)
        return step(*arguments)

    return cast(Function, call)


def build(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    message: Say,
    *,
    required: bool = False,
) -> Callable[..., Any]:
    """The callable that `compile_step` uses from then on; the function itself if compiling fails.

    Raises:
        RunError: compiling failed, and it is required.
    """
    device, name = flat(arguments)[0].device.type, function.__name__
    if device != "cpu":
        message(f"compiling {name}: about a minute the first time, seconds after that")
        with toolchain.building(message, keeps=True):
            fused = torch.compile(function, fullgraph=True, dynamic=False)
            return CudaGraphCall(fused, arguments) if device == "cuda" else fused
    try:
        folder = toolchain.cache(message)
    except UnsafeError as error:
        return _uncompiled(function, str(error), message, required)
    note = folder / f"{_source_key(function, arguments)}.json"
    plain = getattr(function, "__closure__", ()) is None  # its source says all that it is
    known = _read_note(note, function, arguments) if plain else None
    if known is not None:
        run = _load(folder / known.package, message)
        if run is not None:
            return _step(run, known.gives)
    # Copies, since one tensor given twice would be traced as one input.
    inputs = [tensor.detach().clone() for tensor in flat(arguments)]
    graph, gives = _trace(function, arguments, inputs)
    package = folder / f"{_graph_key(graph)}.pt2"
    run = _load(package, message)
    if run is None:
        try:
            toolchain.require_compiler()
            with toolchain.one_at_a_time(package, f"waiting for {name} of another run", message):
                run = _load(package, message)
                if run is None:
                    message(f"compiling {name}: some 10 seconds, once for its shapes and settings")
                    _compile(graph, inputs, package, message)
                    run = _load(package, message)
        except Exception as error:
            return _uncompiled(function, toolchain.reason(error), message, required)
    if run is None:
        return _uncompiled(function, f"{package} cannot be loaded", message, required)
    if plain:
        _write_note(note, Note(package.name, gives), message)
    return _step(run, gives)


def _uncompiled(
    function: Callable[..., Any], why: str, message: Say, required: bool
) -> Callable[..., Any]:
    if required:
        raise RunError(f"training.compile is always, and {function.__name__} is not: {why}")
    message(f"going on with {function.__name__} uncompiled, which is slower: {why}")
    return function


def _step(run: Run, gives: Kinds | None) -> Callable[..., Any]:
    """A caller of a compiled function, which lays arguments flat and puts the result together."""
    return lambda *arguments: put_together(gives, run(flat(arguments)))


class Note(NamedTuple):
    """The findings of an earlier run about a function, so that it need not be traced again."""

    package: str
    gives: Kinds | None  # None: the result is a single tensor


def _source_key(function: Callable[..., Any], arguments: Sequence[Any]) -> str:
    """Differs where a trace would: by the source of function and runtime, by shapes and types.

    Also differs where a trace would not, such as by seed: then the trace finds the package.
    """
    digest = hashlib.sha256(f"{function.__qualname__} {_machine()}".encode())
    code = getattr(function, "__code__", None)
    source = [] if code is None else [Path(code.co_filename)]
    for path in (*source, *sorted(Path(__file__).parent.glob("*.py"))):
        with contextlib.suppress(OSError):
            digest.update(path.read_bytes())
    parts = [(kind.__name__ if kind else "", size) for kind, size in kinds(arguments)]
    layout = [(str(x.dtype), tuple(x.shape), x.stride()) for x in flat(arguments)]
    digest.update(f"{parts} {layout}".encode())
    return digest.hexdigest()[:32]


def _read_note(path: Path, function: Callable[..., Any], arguments: Sequence[Any]) -> Note | None:
    """The note in a file; None where there is none that fits the NamedTuples the function knows."""
    own = (x for x in getattr(function, "__globals__", {}).values() if isinstance(x, type))
    given = (kind for kind, _ in kinds(arguments) if kind)
    types = {x.__name__: x for x in (*own, *given) if hasattr(x, "_fields")}
    if not is_private(path):
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        package, named = str(content["package"]), content["gives"]
        if not re.fullmatch(r"[0-9a-f]{32}\.pt2", package):
            return None
        gives = named and [(types[name] if name else None, int(size)) for name, size in named]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Note(package, gives)


def _write_note(path: Path, note: Note, message: Say) -> None:
    named: list[tuple[str | None, int]] | None = None
    if note.gives is not None:
        named = [(kind.__name__ if kind else None, size) for kind, size in note.gives]
    with contextlib.suppress(OSError, UnsafeError):  # the next run traces again
        part = toolchain.scratch(message) / path.name
        part.write_text(json.dumps({"package": note.package, "gives": named}), encoding="utf-8")
        part.replace(path)


def _trace(
    function: Callable[..., Any], arguments: Sequence[Any], inputs: Sequence[Tensor]
) -> tuple["GraphModule", Kinds | None]:
    """The function as a graph of its flat inputs, and the kinds of parts that it returns.

    `arguments` give the structure that `inputs` are the tensors of.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    takes = kinds(arguments)
    gives: Kinds | None = None

    def run(*tensors: Tensor) -> list[Tensor]:
        nonlocal gives
        results, gives = take_apart(function(*assemble(takes, tensors)))
        return results

    graph: GraphModule = make_fx(run)(*inputs)
    return graph, gives


def _machine() -> str:
    """The version, machine and options that compiled code depends on beside the function."""
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{torch.__version__} {capability} {torch.get_num_threads()} {OPTIONS}"


def _graph_key(graph: "GraphModule") -> str:
    """Differs where the compiled code would: by graph, constants, torch, processor and threads."""
    digest = hashlib.sha256(_machine().encode())
    digest.update(graph.print_readable(print_output=False, include_stride=True).encode())
    for name, tensor in sorted(graph.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {tensor.tolist()}".encode())
    return digest.hexdigest()[:32]


def _compile(graph: "GraphModule", inputs: Sequence[Tensor], package: Path, message: Say) -> None:
    """Compile a graph into a package, which appears whole or not at all.

    Raises:
        Exception: of whatever kind torch has for it.
    """
    from torch._inductor import aoti_compile_and_package
    from torch._inductor import config as inductor

    level = logging.getLogger("torch").level
    try:
        logging.getLogger("torch").setLevel(logging.ERROR)
        with (
            toolchain.building(message, keeps=False) as folder,
            safe_path(),  # inductor asks `python -c` what the processor can
            warnings.catch_warnings(),
            inductor.patch(OPTIONS),
        ):
            warnings.simplefilter("ignore")
            part = folder / package.name
            exported = torch.export.export(graph, tuple(inputs))
            aoti_compile_and_package(exported, package_path=str(part))
            part.replace(package)
        toolchain.prune(package.parent)
    finally:
        logging.getLogger("torch").setLevel(level)


def _load(package: Path, message: Say) -> Run | None:
    """The function in a package; None where there is none of this user's that torch can load."""
    if not is_private(package):
        return None
    key = (package, threading.get_ident())  # a loaded package is for one thread
    run = _loaded.pop(key, None)
    if run is None:
        with toolchain.temporary_files(message):  # a package is unpacked
            run = _read(package)
    if run is not None:
        _loaded[key] = run
        for oldest in list(_loaded)[:-LOADED]:
            del _loaded[oldest]
        with contextlib.suppress(OSError):
            os.utime(package)  # in use, so not the next to be removed
    return run


def _read(package: Path) -> Run | None:
    # The loader under torch._inductor.aoti_load_package takes no time by itself, while importing
    # torch._inductor, which only compiling needs, takes two seconds and 100 MiB.
    single_threaded, runners, any_device = True, 1, -1
    try:
        loader = torch._C._aoti.AOTIModelPackageLoader(
            str(package), "model", single_threaded, runners, any_device
        )
    except RuntimeError:
        return None
    run: Run = loader.boxed_run
    return run
