"""Values of unquoted words of YAML: YAML 1.2's, a few more numbers, and no other words."""

import re
from typing import Any

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INT = re.compile(rf"[-+]?{_DIGITS}")
_FLOAT = re.compile(rf"[-+]?({_DIGITS}\.?({_DIGITS})?|\.{_DIGITS})([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value
    for name, value in (("true", True), ("false", False))
    for word in (name, name.capitalize(), name.upper())
}


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar.

    An infinity or NaN becomes a float, so that the checks can refuse it where a number belongs;
    `1e6` a whole number, which passes for either.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 100:
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text.replace("_", ""))
        counts = "e" in text.lower() and value.is_integer() and abs(value) < 2**53
        return int(value) if counts else value
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        return float(text.replace(".", "").lower())
    return text
