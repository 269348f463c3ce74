"""Answers of environments to a step or a reset: taken where they are what they have to be."""

from typing import Any

import numpy as np

from ppoc.runtime.envs.observations import AnswerError

SHOWN = 120  # characters of a value
MESSAGE = 1000  # characters of an error's text
SCALARS = (float, int, bool, np.bool_, np.floating, np.integer)


def shortened(value: Any) -> str:
    """A value in one short line, for a message."""
    try:
        text = (
            np.array2string(value, threshold=20) if isinstance(value, np.ndarray) else repr(value)
        )
    except Exception as error:  # a value of somebody's own class, or digits beyond Python's limit
        text = f"a {type(value).__name__} that cannot be shown ({type(error).__name__})"
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def in_words(error: BaseException) -> str:
    """An error of others' code, by its type and the first of what it says."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({shortened(error.code)})"
    try:
        said = str(error)[:MESSAGE]
    except Exception:
        said = "its message cannot be shown"
    return f"{type(error).__name__}: {said}" if said.strip() else type(error).__name__


def reward_of(value: Any) -> float:
    """A reward as a number, which may be infinite or none (NaN): rollouts are checked for those.

    Raises:
        AnswerError: it is None, a text, complex, or several numbers, or float32 cannot hold it.
    """
    if type(value) is float:
        return value
    said = f"gave a reward of {shortened(value)}"
    try:
        number = np.asarray(value)
    except Exception as error:  # such as of lists of unequal lengths
        raise AnswerError(f"{said}, which is no number") from error
    if number.size == 1 and number.dtype.kind in "fiub":
        return float(number.reshape(())[()])
    if type(value) is int:  # beyond 64 bits
        raise AnswerError(f"{said}, which float32 cannot hold")
    raise AnswerError(f"{said}, which is no number")


def flag_of(name: str, value: Any) -> bool:
    """Whether `terminated` or `truncated` was said: a truth value, or the number 0 or 1.

    Raises:
        AnswerError: it is anything else, such as None or a text, which Python would take for one.
    """
    if value is True or value is False:
        return value
    try:
        found = np.asarray(value)
        if found.size == 1 and found.dtype.kind in "biuf" and found.reshape(()) in (0, 1):
            return bool(found.reshape(()))
    except Exception as error:
        raise AnswerError(f"gave {name} as {shortened(value)}, not as a bool") from error
    raise AnswerError(f"gave {name} as {shortened(value)}, not as a bool")


def opened(answer: Any) -> Any:
    """The observation that a reset answers, which a dictionary comes with.

    Raises:
        AnswerError: it answers something else, such as an observation alone.
    """
    if isinstance(answer, tuple | list) and len(answer) == 2 and isinstance(answer[1], dict):
        return answer[0]
    found = f"{len(answer)} values" if isinstance(answer, tuple) else f"a {type(answer).__name__}"
    raise AnswerError(
        f"answered a reset with {found}, not with an observation and a dictionary of further info"
    )


def check_answer(answer: Any) -> None:
    """Whether a step answers what gymnasium's do.

    Raises:
        AnswerError: it does not, such as one of the old API of four values.
    """
    if isinstance(answer, tuple | list) and len(answer) == 5:
        reward_of(answer[1])
        flag_of("terminated", answer[2])
        flag_of("truncated", answer[3])
        return
    found = f"{len(answer)} values" if isinstance(answer, tuple) else f"a {type(answer).__name__}"
    old = "; four are what gym's did, before gymnasium" if found == "4 values" else ""
    raise AnswerError(
        f"answered a step with {found}, not with observation, reward, terminated, truncated and "
        f"info{old}"
    )
