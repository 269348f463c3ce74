"""The one way values enter generated source: as checked literals."""

import math
import re
from typing import Any


class Code(str):
    """Source text written by the compiler itself, never taken from a spec."""

    __slots__ = ()


def literal(value: Any) -> Code:
    """Python source of a bool, int, finite or infinite float, str, None, tuple or dict of them.

    Raises:
        TypeError: the value is of another type, or not a number.
    """
    if value is None or isinstance(value, bool):
        return Code(repr(value))
    if isinstance(value, int):
        return Code(f"{value:_}" if abs(value) >= 100_000 else repr(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return Code(_string(str(value)))
    if isinstance(value, tuple):
        inner = ", ".join(literal(item) for item in value)
        return Code(f"({inner},)" if len(value) == 1 else f"({inner})")
    if isinstance(value, dict):
        pairs = (f"{literal(str(key))}: {literal(item)}" for key, item in value.items())
        return Code("{" + ", ".join(pairs) + "}")
    raise TypeError(f"no literal for {type(value).__name__}")


def _float(value: float) -> Code:
    if math.isnan(value):
        raise TypeError("no literal for NaN")
    if math.isinf(value):
        return Code("1e999" if value > 0 else "-1e999")
    return Code(re.sub(r"e([+-])0*", lambda m: "e" + m[1].replace("+", ""), repr(value)))


def _string(value: str) -> str:
    body = ascii(value)
    if body[0] == '"' or '"' in body:
        return body
    return f'"{body[1:-1]}"'


def identifier(value: str) -> Code:
    """A name of the compiler's own, checked to be one.

    Raises:
        ValueError: it is not an identifier.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(f"not an identifier: {value!r}")
    return Code(value)


def prose(value: str) -> Code:
    """Text for a comment or docstring: characters that could end either are refused.

    Raises:
        ValueError: it holds a double quote, a backslash or a control character.
    """
    if not value.isprintable() or any(character in value for character in '"\\'):
        raise ValueError(f"not plain prose: {value!r}")
    return Code(value)
