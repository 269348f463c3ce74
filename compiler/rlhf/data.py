"""Contents of the files of a spec, and their faults, line by line."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ppoc.compiler.rlhf.records import Entry, FaultError, Line, entries, kind, lines
from ppoc.compiler.rlhf.resolved import RlhfResolved, shown
from ppoc.formats.reading import FormatError, open_regular

MOST_FAULTS = 10  # of a file that are told one by one
# Paths of the values that say which files are read, and what may stand in them.
READS = (
    "stages",
    "data.demonstrations",
    "data.preferences",
    "data.prompts",
    "data.max_prompt_tokens",
    "data.max_response_tokens",
    "data.overlong",
    "model.config",
    "model.tokenizer",
)
Record = Mapping[str, Entry]


class Contents(NamedTuple):
    """Contents of a file of examples.

    Attributes:
        prompts: how many different ones there are.
        longest_prompt: in bytes, as `longest_response` is.
        unreadable: why it cannot be read.
        faults: the first lines with a fault, and how many more there are.
    """

    path: Path
    sha256: str = ""
    examples: int = 0
    prompts: int = 0
    longest_prompt: int = 0
    longest_response: int = 0
    unreadable: str = ""
    faults: tuple[tuple[Line, FaultError], ...] = ()
    more_faults: int = 0


@dataclass
class Survey:
    """A file's facts while it is read."""

    examples: int = 0
    overlong: int = 0
    prompts: set[bytes] = field(default_factory=set)  # hashes, for a file may be large
    longest_prompt: int = 0
    longest_response: int = 0

    def add(self, prompt: str, responses: list[str]) -> None:
        self.examples += 1
        data = prompt.encode()
        self.prompts.add(hashlib.blake2b(data, digest_size=8).digest())
        self.longest_prompt = max(self.longest_prompt, len(data))
        longest = max((len(text.encode()) for text in responses), default=0)
        self.longest_response = max(self.longest_response, longest)


def files_read(resolved: RlhfResolved) -> list[str]:
    """The keys of `data` whose files the stages of a spec read."""
    spec, data = resolved.spec, resolved.spec.data
    prompts = "prompts" if data.prompts is not None else "demonstrations"
    needed = {"sft": "demonstrations", "reward": "preferences", "ppo": prompts}
    names = [needed[stage] for stage in spec.stages]
    if isinstance(spec.model.tokenizer, dict) and data.demonstrations is not None:
        names.append("demonstrations")
    return [name for name in dict.fromkeys(names) if getattr(data, name) is not None]


def read_file(resolved: RlhfResolved, name: str) -> Contents:
    """The contents of the file that a key of `data` names."""
    path = resolved.file("data", name)
    faults: list[tuple[Line, FaultError]] = []
    result, more = Survey(), 0
    read = READERS[name]
    digest = hashlib.sha256()
    try:
        with open_regular(path, follow=True) as file:
            while block := file.read(1 << 20):
                digest.update(block)
        for line, fault in lines(path, shown(path)):
            try:
                if fault is not None:
                    raise fault
                record = entries(line.text)
                prompt, responses = read(record)
                result.add(prompt, responses)
                _measure(resolved, record, result)
            except FaultError as wrong:
                more += len(faults) >= MOST_FAULTS
                if len(faults) < MOST_FAULTS:
                    faults.append((line, wrong))
    except (OSError, FormatError) as error:
        return Contents(path, unreadable=f"{getattr(error, 'strerror', None) or error}")
    return Contents(
        path,
        digest.hexdigest(),
        result.examples - result.overlong,
        len(result.prompts),
        result.longest_prompt,
        result.longest_response,
        faults=tuple(faults),
        more_faults=more,
    )


class SameError(FaultError):
    """Two answers that are the same."""


class LongError(FaultError):
    """A text of more tokens than may be."""


def _demonstration(record: Record) -> tuple[str, list[str]]:
    return _text(record, "prompt", empty=True), [_text(record, "response")]


def _preference(record: Record) -> tuple[str, list[str]]:
    prompt = _text(record, "prompt", empty=True)
    if "ranking" not in record:
        chosen, rejected = _text(record, "chosen"), _text(record, "rejected")
        if chosen == rejected:
            _, start, end = record["rejected"]
            message, help = "`chosen` and `rejected` are the same", "nothing is preferred: drop it"
            raise SameError(message, start, end, help)
        return prompt, [chosen, rejected]
    ranking, start, end = record["ranking"]
    help = '`ranking` is a list of two or more strings, such as ["best", "worst"]'
    for key in ("chosen", "rejected"):
        if key in record:
            message = f"both `ranking` and `{key}`"
            raise FaultError(
                message, record[key].start, record[key].end, "keep one of the two forms"
            )
    if not isinstance(ranking, list) or len(ranking) < 2:
        what = kind(ranking) if not isinstance(ranking, list) else f"a list of {len(ranking)}"
        raise FaultError(f"`ranking` is {what}", start, end, help)
    for index, item in enumerate(ranking):
        _checked(Entry(item, start, end), f"ranking[{index}]")
    twice = next((item for index, item in enumerate(ranking) if item in ranking[:index]), None)
    if twice is not None:
        raise SameError("`ranking` has the same answer twice", start, end, "drop one of them")
    return prompt, list(ranking)


def _prompt(record: Record) -> tuple[str, list[str]]:
    return _text(record, "prompt", empty=True), []


READERS: dict[str, Callable[[Record], tuple[str, list[str]]]] = {
    "demonstrations": _demonstration,
    "preferences": _preference,
    "prompts": _prompt,
}


def _text(record: Record, key: str, *, empty: bool = False) -> str:
    if key not in record:
        names = ", ".join(f"`{name[:40]}`" for name in list(record)[:8]) or "nothing"
        raise FaultError(f"`{key}` is missing", help=f"the line has {names}")
    return _checked(record[key], key, empty=empty)


def _checked(entry: Entry, what: str, *, empty: bool = False) -> str:
    value, start, end = entry
    if not isinstance(value, str):
        raise FaultError(f"`{what}` is {kind(value)}", start, end, "it must be a string")
    if not value and not empty:
        raise FaultError(f"`{what}` is empty", start, end, "write the text, or drop the line")
    try:
        value.encode()
    except UnicodeEncodeError:
        message = f"`{what}` has half of a surrogate pair"
        raise FaultError(message, start, end, "it is no character") from None
    return value


def _measure(resolved: RlhfResolved, record: Record, result: Survey) -> None:
    """Refuse or count a text that is too long, where tokens are bytes and so can be counted."""
    spec, data = resolved.spec, resolved.spec.data
    own = spec.model.tokenizer or ("byte" if spec.model.config is not None else None)
    if own != "byte":
        return
    for key, entry in record.items():
        what = "prompt" if key == "prompt" else "response"
        if key not in ("prompt", "response", "chosen", "rejected", "ranking"):
            continue
        most = data.max_prompt_tokens if what == "prompt" else data.max_response_tokens
        texts = entry.value if isinstance(entry.value, list) else [entry.value]
        longest = max(len(text.encode()) for text in texts) + (what == "response")
        if longest > most and data.overlong == "error":
            message = f"`{key}` has {longest} tokens, and data.max_{what}_tokens is {most}"
            help = "raise it, shorten the text, or set `data.overlong` to drop or truncate"
            raise LongError(message, entry.start, entry.end, help)
        if longest > most and data.overlong == "drop":
            result.overlong += 1
            return
