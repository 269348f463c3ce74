"""Compile what a run compiles at its first calls, before there is a run."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

from ppoc.runtime.errors import RunError
from ppoc.runtime.learning.compiled import Function, build
from ppoc.runtime.run.run import Run


class Prebuilt(NamedTuple):
    """Names of the functions that the runs of a module compile."""

    ready: list[str]  # compiled, and kept for those runs
    failed: list[str]  # refused by the compiler; runs go on without


def prebuild(
    module: ModuleType, message: Callable[[str], None], device: str | None = None
) -> Prebuilt:
    """Compile the functions of a module that its runs will load.

    The module itself says of which shapes: it trains in a temporary folder up to the first call of
    the last such function, within its first iteration. Nothing else of it is kept.

    Args:
        message: told what is being compiled.

    Raises:
        RunError: the module cannot train here.
    """
    with tempfile.TemporaryDirectory(prefix="ppoc-") as folder:
        rehearsal = _Rehearsal(Path(folder), device or module.DEVICE, message)
        try:
            with rehearsal, contextlib.suppress(_Over):
                module.train(rehearsal)
        except RunError:
            raise
        except Exception as error:
            cause = str(error).strip().partition("\n")[0]
            raise RunError(f"the module cannot train: {type(error).__name__}: {cause}") from error
    return Prebuilt(rehearsal.ready, rehearsal.failed)


class _Over(Exception):  # noqa: N818 - not an error
    """All that there is to compile is compiled."""


class _Rehearsal(Run):
    """A run that is over once every function it was to compile is compiled."""

    def __init__(self, folder: Path, device: str, message: Callable[[str], None]) -> None:
        super().__init__(folder, device=device, mode="quiet")
        self.ready: list[str] = []
        self.failed: list[str] = []
        self._waiting = 0
        self._tell = message

    def message(self, text: str, health: Mapping[str, Any] | None = None) -> None:
        self._tell(text)

    def compile(self, update: Function, *, required: bool = False) -> Function:
        self._waiting += 1
        step: Callable[..., Any] | None = None

        def call(*arguments: Any) -> Any:
            nonlocal step
            if step is None:
                step = build(update, arguments, self.message)
                (self.failed if step is update else self.ready).append(update.__name__)
                self._waiting -= 1
                self._end_if_done()
            return step(*arguments)

        return cast(Function, call)

    def iterations(self, count: int, steps_each: int, total: int | None = None) -> Iterator[int]:
        self._end_if_done()
        yield from super().iterations(count, steps_each, total)

    def _end_if_done(self) -> None:
        if not self._waiting:
            raise _Over
