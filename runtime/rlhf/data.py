"""Demonstrations, preferences and prompts: JSON Lines files, read with the place of each fault."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ppoc.formats.reading import FormatError, open_regular
from ppoc.runtime.errors import RunError

LONGEST_LINE = 16 * 2**20  # bytes; a longer one is no example but a damaged file


class DataError(RunError):
    """A fault in a data file; its text says file, line and column, and what was expected."""


class Place(NamedTuple):
    """A line of a data file."""

    file: str
    line: int

    def fault(self, message: str, column: int = 1) -> DataError:
        """The error to raise for something wrong here."""
        return DataError(f"{self.file}:{self.line}:{column}: {message}")


class Demonstration(NamedTuple):
    """A prompt with a good answer."""

    prompt: str
    response: str
    place: Place


class Ranking(NamedTuple):
    """Two or more answers to a prompt, the best first."""

    prompt: str
    responses: tuple[str, ...]
    place: Place


class Prompt(NamedTuple):
    """A prompt to answer."""

    prompt: str
    place: Place


Example = TypeVar("Example", Demonstration, Ranking, Prompt)


def read_demonstrations(path: Path) -> list[Demonstration]:
    """Lines of `{"prompt": …, "response": …}`.

    Raises:
        DataError: the file cannot be read, or a line of it is not that.
    """
    return [
        Demonstration(_text(row, "prompt", place, empty=True), _text(row, "response", place), place)
        for row, place in _rows(path)
    ]


def read_preferences(path: Path) -> list[Ranking]:
    """Lines of `{"prompt", "chosen", "rejected"}` or `{"prompt", "ranking": [best, …, worst]}`.

    Raises:
        DataError: as `read_demonstrations`, or two answers of a line are the same.
    """
    return [
        Ranking(_text(row, "prompt", place, empty=True), _ranking(row, place), place)
        for row, place in _rows(path)
    ]


def read_prompts(path: Path) -> list[Prompt]:
    """Lines of `{"prompt": …}`; further keys, such as a demonstration's response, are passed over.

    Raises:
        DataError: as `read_demonstrations`.
    """
    return [Prompt(_text(row, "prompt", place, empty=True), place) for row, place in _rows(path)]


def first_prompt(path: Path) -> str:
    """The prompt of a file's first line, of whichever kind it is; the rest is not read.

    Raises:
        DataError: as `read_demonstrations`.
    """
    row, place = next(_rows(path))
    return _text(row, "prompt", place, empty=True)


def split(
    examples: Sequence[Example], held_out: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Examples to learn from and examples to evaluate on, which have no prompt in common.

    The share `held_out` of the prompts with the smallest hashes is kept back, at least one prompt
    where the share is not 0; it does not depend on the order of the file.
    """
    keys = sorted({_hash(example.prompt, seed) for example in examples})
    count = min(max(1, round(held_out * len(keys))), len(keys) - 1) if held_out else 0
    kept_back = set(keys[: max(count, 0)])
    learn: list[Example] = []
    evaluate: list[Example] = []
    for example in examples:
        hidden = _hash(example.prompt, seed) in kept_back
        (evaluate if hidden else learn).append(example)
    return learn, evaluate


def distinct(prompts: Iterable[Prompt]) -> list[Prompt]:
    """Prompts without repetitions, in their order."""
    return list({prompt.prompt: prompt for prompt in reversed(list(prompts))}.values())[::-1]


def _hash(prompt: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{prompt}".encode(), digest_size=16).digest()


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], Place]]:
    """The objects of a file, with their places; empty lines are passed over."""
    try:
        with open_regular(path, follow=True) as file:
            count = 0
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
                place = Place(str(path), number)
                if line.strip():
                    count += 1
                    yield _object(line, place), place
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (OSError, FormatError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {why}") from error
    if count == 0:
        raise DataError(f"{path}: it has no line")


def _object(line: bytes, place: Place) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise place.fault(f"the line is longer than {LONGEST_LINE:,} bytes")
    try:
        text = line.decode("utf-8-sig" if place.line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise place.fault(
            f"byte {line[error.start]:#04x} is not UTF-8; save the file as UTF-8", error.start + 1
        ) from error
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise place.fault(f"not JSON: {error.msg}; one object a line", error.colno) from error
    except RecursionError as error:
        raise place.fault("not a flat object: too deeply nested") from error
    if not isinstance(row, dict):
        raise place.fault(f'expected an object, such as {{"prompt": …}}, not {_kind(row)}')
    return row


def _text(row: dict[str, Any], key: str, place: Place, *, empty: bool = False) -> str:
    if key not in row:
        found = ", ".join(f"`{name}`" for name in list(row)[:8]) or "nothing"
        raise place.fault(f"there is no `{key}`; the line has {found}")
    return _checked(row[key], f"`{key}`", place, empty=empty)


def _checked(value: object, what: str, place: Place, *, empty: bool = False) -> str:
    if not isinstance(value, str):
        raise place.fault(f"{what} is {_kind(value)}; it must be a string")
    if not value and not empty:
        raise place.fault(f"{what} is empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise place.fault(f"{what} has half a surrogate pair, which is no character") from error
    return value


def _ranking(row: dict[str, Any], place: Place) -> tuple[str, ...]:
    if "ranking" not in row:
        responses = tuple(_text(row, key, place) for key in ("chosen", "rejected"))
        if responses[0] == responses[1]:
            raise place.fault("`chosen` and `rejected` are the same; drop the line")
        return responses
    ranking = row["ranking"]
    if not isinstance(ranking, list) or len(ranking) < 2:
        raise place.fault("`ranking` must be a list of two or more strings, the best first")
    responses = tuple(
        _checked(item, f"`ranking[{index}]`", place) for index, item in enumerate(ranking)
    )
    if len(set(responses)) < len(responses):
        raise place.fault("`ranking` has the same answer twice; drop one")
    return responses


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")
