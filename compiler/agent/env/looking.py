"""A look at code of others from a process of its own: plain data comes back, or diagnostics."""

import json
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ppoc.compiler.agent.env.isolation import Desk, Outcome, isolated
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError

LONGEST = 20_000  # characters of a traceback
CLOSING = "close"  # what is under way once all is seen, and may fail
Seen = TypeVar("Seen")


class RaisedThere(Exception):  # noqa: N818 - it is no error of its own
    """An error that code of others raised in its process: its traceback, for `--debug`."""


def look(
    resolved: ResolvedAgent,
    path: tuple[str, ...],
    name: str,
    see: Callable[[Desk], Iterator[Seen]],
    kind: type[Seen],
) -> Seen:
    """Run `see` in a process of its own for the one thing it yields; what it does then may fail.

    Args:
        path: of the value that names the code.
        name: of the code.
        kind: a data class, which the answer is verified to be.

    Raises:
        SpecError: what `see` raises; or the process was ended: with the code that is noted at the
            desk before what was under way.
    """
    outcome = isolated(partial(_answer, see))
    if outcome.ended and outcome.doing != CLOSING:
        raise _refusal(resolved, path, name, outcome)
    answers = TypeAdapter(tuple[kind | None, tuple[Diagnostic, ...], str])  # type: ignore[valid-type]
    try:
        seen, wrong, raised = answers.validate_json(outcome.answer or b"", strict=True)
    except ValidationError:
        help = "see what it writes to memory and files"
        raise resolved.spec_error(
            "E103", path, f"`{name}` spoils what is said of it", help
        ) from None
    if seen is None:
        raise SpecError(wrong) from (RaisedThere(raised) if raised else None)
    return seen


def _answer(see: Callable[[Desk], Iterator[Any]], desk: Desk) -> None:
    try:
        for seen in see(desk):
            desk.answer(json.dumps([asdict(seen), [], ""]).encode())
    except SpecError as error:
        wrong = [asdict(diagnostic) for diagnostic in error.diagnostics]
        raised = error.__cause__ or error.__context__
        lines = traceback.format_exception(raised) if raised is not None else ()
        text = "".join(lines)[-LONGEST:].encode(errors="backslashreplace").decode()
        desk.answer(json.dumps([None, wrong, text]).encode())


def _refusal(
    resolved: ResolvedAgent, path: tuple[str, ...], name: str, outcome: Outcome
) -> SpecError:
    """How code of others ended the process that looked at it."""
    code, _, doing = outcome.doing.partition(" ")
    message = f"`{name}` {outcome.ended}" + (f", in {doing}" if doing else "")
    why = f"it printed last: {outcome.printed}" if outcome.printed else ""
    help = "correct that code: what ends its process cannot be trained with"
    if outcome.seconds:
        if code == "E130" and resolved.spec.env.step_timeout is not None:
            path = ("env", "step_timeout")
        help = "see where it waits, or set `env.step_timeout` to the seconds that it may take"
    return resolved.spec_error(code or "E103", path, message, help, why=why)
