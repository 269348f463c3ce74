"""Lints of specs of `kind: rlhf`: what those who did it advise, as warnings.

`# ppoc: allow W401`, on the line or as a comment of its own, silences one.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ppoc.compiler.diagnostics import Diagnostic

if TYPE_CHECKING:
    from ppoc.compiler.rlhf.resolved import RlhfResolved

LINTS: tuple[Callable[["RlhfResolved"], Iterator[Diagnostic]], ...] = ()
