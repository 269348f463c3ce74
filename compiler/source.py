"""Reading YAML into nodes that remember their places.

Only the parser's event level of a YAML library is used, never its object construction: a scalar
becomes None, a bool, a number or a string, whatever tags say. Numbers follow YAML 1.2 and a little
more: `3e-4`, `1e6` and `1_000_000` are numbers, `yes` and `on` are strings.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ppoc.compiler.diagnostics import Diagnostic, Span, SpecError

INHERITED = "optimizer.actor"  # origin of what the critic's optimiser takes from the actor's
MAX_BYTES = 1_000_000
MAX_NODES = 10_000
MAX_DEPTH = 32
TOO_MANY = f"more than {MAX_NODES:,} values, counting each use of an alias"
GREEK = {"ε": "epsilon", "β": "beta", "γ": "gamma", "λ": "lambda"}


@dataclass(frozen=True)
class Node:
    """A value of a document, and where it and its key stand.

    `value` is a scalar, a list of nodes, or a dict of nodes. `origin` says which layer of a spec it
    came from: spec, extends, preset, override, or words of the resolver's own.
    """

    value: Any
    span: Span | None = None
    key_span: Span | None = None
    origin: str = "spec"

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Node"]]:
        """Every path that is not a mapping with keys, and its node."""
        if isinstance(self.value, dict) and self.value:
            for key, node in self.value.items():
                yield from node.leaves((*path, key))
        else:
            yield path, self


def read(path: Path) -> str:
    """The text of a spec file, without a byte order mark.

    Raises:
        SpecError: E001 where it cannot be read or is not UTF-8, E004 where it is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: no path, such as one with a NUL
        help = "give the path of a YAML file; `ppoc zoo list` lists the specs that come with ppoc"
        message = f"cannot read {path}: {getattr(error, 'strerror', None) or error}"
        raise SpecError([Diagnostic("E001", message, help=help)]) from error
    if len(data) > MAX_BYTES:
        raise SpecError([Diagnostic("E004", f"{path} is larger than {MAX_BYTES:,} bytes")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{path} is not UTF-8 (line {line}, byte {error.start})"
        raise SpecError([Diagnostic("E001", message, help="save it as UTF-8")]) from error


def parse(text: str, source: str, origin: str = "spec") -> Node:
    """The document of a YAML text.

    Raises:
        SpecError: E002 to E006, with the place.
    """
    return _Reader(text, source, origin).document()


@dataclass
class _Reader:
    text: str
    source: str
    origin: str
    nodes: int = 0
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = self.text.replace("\r\n", "\n")
        self.lines = self.text.split("\n")

    def fail(self, code: str, message: str, span: Span | None, help: str = "") -> SpecError:
        return SpecError([Diagnostic(code, message, span, help=help)])

    def span(self, start: Any, end: Any = None) -> Span:
        """The part of the first line between two marks of the parser."""
        line = min(start.line, len(self.lines) - 1)
        text = self.lines[line]
        column = min(start.column, len(text))
        last = end.column if end is not None and end.line == start.line else len(text.rstrip())
        return Span(self.source, line + 1, column + 1, max(column + 2, last + 1), text)

    def document(self) -> Node:
        root = self._compose()
        if root is None:
            raise self.fail(
                "E005", f"{self.source} is empty", None, "`ppoc init` writes a first spec"
            )
        return self.node(root, 0)

    def _compose(self) -> Any:
        from ruamel.yaml import YAML
        from ruamel.yaml.composer import Composer, ComposerError
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        bad = re.search(
            r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", self.text
        )
        if bad:
            line = self.text.count("\n", 0, bad.start())
            column = bad.start() - (self.text.rfind("\n", 0, bad.start()) + 1)
            place = Span(
                self.source, line + 1, column + 1, column + 2, repr(self.lines[line])[1:-1]
            )
            raise self.fail("E002", f"a control character, {bad[0]!a}", place, "remove it")
        reader = self

        class Limited(Composer):
            """Stops at the limit, not after a whole file of small values, and keeps tags."""

            nodes = 0

            def compose_node(self, parent: Any, index: Any) -> Any:
                self.nodes += 1
                if self.nodes > 2 * MAX_NODES:  # keys are nodes too
                    here = reader.span(self.parser.peek_event().start_mark)
                    raise reader.fail("E004", TOO_MANY, here)
                return super().compose_node(parent, index)

            def compose_scalar_node(self, anchor: Any) -> Any:
                tag = self.parser.peek_event().tag
                node = super().compose_scalar_node(anchor)
                node.style = node.style or tag  # so that None means neither quoted nor tagged
                return node

        yaml = YAML(typ="safe", pure=True)
        yaml.Composer = Limited
        yaml.composer.warn_double_anchors = False  # YAML allows them; the last one counts
        try:
            return yaml.compose(self.text)
        except ComposerError as error:
            code = "E006" if "single document" in str(error) else "E002"
            raise self._parser_error(error, code) from error
        except MarkedYAMLError as error:
            raise self._parser_error(error, "E002") from error
        except RecursionError as error:
            raise self.fail("E004", "the document is nested too deeply", None) from error
        except (YAMLError, ValueError, AssertionError, AttributeError, IndexError) as error:
            # All but the first are the YAML parser's own slips on garbage: the text is at fault.
            raise self.fail("E002", f"not YAML: {_first_line(error)}", None) from error

    def _parser_error(self, error: Any, code: str) -> SpecError:
        mark = error.problem_mark or error.context_mark
        span = self.span(mark, None) if mark is not None else None
        if span is not None:
            span = replace(span, end_column=span.column + 1)
        help = ""
        if span is not None and "\t" in span.text[: span.column]:
            help = "YAML does not allow tabs for indentation; use spaces"
        elif "mapping values are not allowed" in str(error.problem):
            help = "a `:` too many, or a line indented too far"
        return self.fail(code, f"not YAML: {error.problem or _first_line(error)}", span, help)

    def node(self, raw: Any, depth: int, key_span: Span | None = None) -> Node:
        self.nodes += 1
        here = self.span(raw.start_mark, raw.end_mark)
        if key_span is not None and raw.start_mark.index == raw.end_mark.index:
            here = key_span  # of a value that is not there
        if self.nodes > MAX_NODES:
            raise self.fail("E004", TOO_MANY, here)
        if depth > MAX_DEPTH:
            raise self.fail("E004", f"more than {MAX_DEPTH} levels", here, "flatten the document")
        tag = str(raw.tag or "")
        if not re.fullmatch(r"tag:yaml\.org,2002:\w+", tag):
            raise self.fail("E006", f"the tag {tag[:80]} means nothing here", here, "remove it")
        if type(raw).__name__ == "MappingNode":
            value: Any = self.mapping(raw, depth)
        elif type(raw).__name__ == "SequenceNode":
            value = [self.node(item, depth + 1) for item in raw.value]
        else:
            value = self.scalar(raw, here)
        return Node(value, here, key_span, self.origin)

    def mapping(self, raw: Any, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for raw_key, raw_value in raw.value:
            here = self.span(raw_key.start_mark, raw_key.end_mark)
            if type(raw_key).__name__ != "ScalarNode":
                raise self.fail("E006", "a key must be a word", here)
            if raw_key.value == "<<" and raw_key.style is None:
                self.merge(raw_value, depth, merged)
                continue
            self.check_text(raw_key.value, here)
            key = GREEK.get(raw_key.value, raw_key.value)
            if key in found:
                first = found[key].key_span
                where = f"first on line {first.line}" if first else ""
                raise self.fail("E003", f"`{key}` is given twice", here, f"keep one; {where}")
            found[key] = self.node(raw_value, depth + 1, here)
        return {**merged, **found}

    def merge(self, raw: Any, depth: int, into: dict[str, Node]) -> None:
        """YAML's `<<`: keys of other mappings, of which the first wins."""
        items = raw.value if type(raw).__name__ == "SequenceNode" else [raw]
        for item in items:
            if type(item).__name__ != "MappingNode":
                span = self.span(item.start_mark, item.end_mark)
                raise self.fail("E006", "`<<` takes a mapping", span)
            for key, node in self.node(item, depth + 1).value.items():
                into.setdefault(key, node)

    def check_text(self, text: str, here: Span) -> None:
        """Refuse what an escape such as `\\ud800` makes: no character, so no file can hold it."""
        if re.search("[\ud800-\udfff]", text):
            raise self.fail("E006", "half of a surrogate pair is no character", here, "remove it")

    def scalar(self, raw: Any, here: Span) -> Any:
        self.check_text(raw.value, here)
        is_text = raw.style is not None and str(raw.tag).endswith(":str")
        return raw.value if is_text else plain_scalar(raw.value)


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

    An infinity or NaN becomes a float, so that the checks can refuse it where a number belongs.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 100:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        return float(text.replace(".", "").lower())
    return text


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
