"""Did you mean? Close names, and what other tools call the same thing.

A suggestion that misleads is worse than none. So a name that another tool has is looked up before
anything that is spelt like it, and only a slip of a finger or two counts as a misspelling.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel

from ppoc.compiler.front.spec import SpecKind
from ppoc.compiler.front.values import model_of

# Names of their own that are a letter from one of ours: optimisers, activations, algorithms.
NOT_MISSPELT = frozenset(
    (
        *("adamax", "nadam", "radam", "adan", "adagrad", "adadelta", "lion", "lamb", "lars"),
        *("selu", "celu", "mish", "glu", "relu6", "swiglu", "prelu", "rnn"),
        *("ppg", "rpo", "spo", "mpo", "apo", "vpo", "grpo", "dpo", "rloo", "acer", "npg", "sppo"),
    )
)
# Values under another name, and ours.
VALUES = {
    "swish": "silu",
    "gpu": "cuda",
    "cuda:0": "cuda",
    "normal": "gaussian",
    "diagonal-gaussian": "gaussian",
    "squashed-gaussian": "tanh-gaussian",
    "tanh-normal": "tanh-gaussian",
    "glorot": "xavier",
    "xavier_uniform": "xavier",
    "he": "kaiming",
    "kaiming_uniform": "kaiming",
    "nature": "nature-cnn",
    "impala": "impala-cnn",
    "gym": "gymnasium",
    "bf16": "bfloat16",
    "fp32": "float32",
    "float": "float32",
}


def did_you_mean(word: str, choices: Iterable[str], cutoff: float | None = None) -> str:
    """A sentence with the one of some names that a word is a misspelling of, or nothing.

    Args:
        cutoff: take the closest of long names, such as ids, that is at least so similar.
    """
    choices = list(choices)
    if cutoff is None:
        return _sentence(misspelt(word, choices))
    close = difflib.get_close_matches(word, choices, n=1, cutoff=cutoff)
    if not close:
        folded = {choice.lower(): choice for choice in choices}
        close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=cutoff)
        close = [folded[name] for name in close]
    return _sentence(close[0] if close else None)


def misspelt(word: str, choices: Iterable[str]) -> str | None:
    """The choice that a word is, but for case, joints and a slip or two of a finger."""
    from rapidfuzz.distance import OSA

    own = _folded(word)
    if own in NOT_MISSPELT or not own:
        return None
    slips = 0 if len(own) < 3 else 1 if len(own) < 8 else 2
    found = [(OSA.distance(own, _folded(choice)), choice) for choice in choices]
    distance, choice = min(found, key=lambda pair: pair[0], default=(slips + 1, ""))
    theirs = _folded(choice)
    # Short words that differ in one letter are mostly words of their own.
    swapped = len(own) == len(theirs) and sorted(own) != sorted(theirs)
    return None if distance > slips or (len(own) < 5 and swapped) else choice


def value(word: str, choices: Sequence[str]) -> str:
    """A sentence with the choice that a value is another name or a misspelling of, or nothing."""
    ours = VALUES.get(word.lower())
    return _sentence(ours) if ours in choices else did_you_mean(word, choices)


def hints(groups: Mapping[str, str]) -> dict[str, str]:
    """Names → hints, from hint → names with spaces between.

    A hint is a path, with what to say of it after a comma, or a sentence that begins with ppoc.
    """
    found: dict[str, str] = {}
    for hint, names in groups.items():
        path, _, remark = hint.partition(", ")
        text = f"ppoc calls it `{path}`" + (f", {remark}" if remark else "")
        found |= dict.fromkeys(names.split(), hint if hint.startswith("ppoc ") else text)
    return found


def places(model: type[BaseModel], above: str = "") -> dict[str, list[str]]:
    """Key → every path of the language that ends in it."""
    found: dict[str, list[str]] = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        path = f"{above}{key}"
        found.setdefault(key, []).append(path)
        section = model_of(info.annotation)
        if section is not None:
            for inner, paths in places(section, f"{path}.").items():
                found.setdefault(inner, []).extend(paths)
    return found


def unknown_key(
    key: str, siblings: Iterable[str], kind: SpecKind, where: Sequence[str] = ()
) -> str:
    """A guess at the meaning of a key that does not exist.

    Args:
        where: the sections that it stands in, outermost first.
    """
    siblings = list(siblings)
    section, dot, rest = key.partition(".")
    if dot and section in siblings:
        inside = rest.replace(".", ": {") + ": …" + "}" * rest.count(".")
        return f"keys nest: write `{section}: {{{inside}}}`"
    folded = {_folded(name): name for name in siblings}
    if _folded(key) in folded:
        return _sentence(folded[_folded(key)])
    for start in range(len(where) + 1):
        known = kind.peers.get(".".join([*where[start:], key.lower().replace("-", "_")]))
        if known:
            return known
    elsewhere = [path for path in places(kind.model).get(key, []) if _may_move(where, path)]
    if elsewhere:
        return f"it belongs at {' or '.join(f'`{path}`' for path in elsewhere)}"
    return did_you_mean(key, siblings) or f"the keys here are: {', '.join(siblings)}"


def _may_move(where: Sequence[str], path: str) -> bool:
    """Whether a key of that path may be meant: the terms of a loss have names alike in common."""
    parts = path.split(".")
    return parts[0] != "lock" and not ("losses" in where and "losses" in parts)


def _folded(word: str) -> str:
    return re.sub(r"[\s_.-]", "", word).lower()


def _sentence(name: str | None) -> str:
    return f"did you mean `{name}`?" if name else ""


def nearest_divisors(number: int, near: int) -> list[int]:
    """The largest divisor of a number below `near` and the smallest above it."""
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    divisors = {*small, *(number // d for d in small)}
    below = [d for d in divisors if d < near]
    above = [d for d in divisors if d > near]
    return [*([max(below)] if below else []), *([min(above)] if above else [])]
