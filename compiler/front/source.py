"""Reading YAML into nodes that remember their places.

Only the parser's event level of a YAML library is used, never its object construction: a scalar
becomes None, a bool, a number or a string, whatever tags say. Numbers follow YAML 1.2 and a little
more: `3e-4`, `1e6` and `1_000_000` are numbers, `yes` and `on` are strings.
"""

import copy
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic, Span, SpecError
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.scalars import plain_scalar
from ppoc.formats.reading import open_regular

INHERITED = "optimizer.actor"  # origin of what the critic's optimiser takes from the actor's
MAX_BYTES = 1_000_000
MAX_NODES = 10_000
MAX_DEPTH = 32
HINTS = {  # part of what the YAML parser says → what to do
    "mapping values are not allowed": "a `:` too many, or a line indented too far",
    "expected ',' or '}'": "close the `{`, with a `,` between its keys",
    "expected ',' or ']'": "close the `[`, with a `,` between its items",
    "expected <block end>": "indent the keys of a mapping alike",
    "could not find expected ':'": "write `key: value`",
    "unexpected end of stream": "close the quote",
    "undefined alias": "put `&name` before the value that `*name` repeats",
    "cannot start any token": "quote the text",
}
TOO_DEEP, FLATTEN = (
    f"more than {MAX_DEPTH} levels",
    "flatten the document; look for an alias that holds itself",
)
TOO_MANY = f"more than {MAX_NODES:,} values, counting each use of an alias"
GREEK = {"ε": "epsilon", "β": "beta", "γ": "gamma", "λ": "lambda"}


def read(path: Path) -> str:
    """The text of a spec file, a regular file, without a byte order mark.

    Raises:
        SpecError: E001 where it cannot be read or is not UTF-8, E004 where it is too large.
    """
    try:
        with open_regular(path, follow=True) as file:
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


def parse(
    text: str,
    source: str,
    origin: str = "spec",
    via: str = "",
    found: list[Diagnostic] | None = None,
) -> Node:
    """The document of a YAML text.

    `via` says how a spec comes to this text. Mistakes that leave the rest readable, E003 and E006,
    are added to `found` where it is given, and raised all at once where it is not.

    Raises:
        SpecError: E002 to E006, with the place.
    """
    reader = _Reader(text, source, origin, via)
    root = reader.document()
    if found is not None:
        found += reader.found
    elif reader.found:
        raise SpecError(reader.found)
    return root


@dataclass
class _Reader:
    text: str
    source: str
    origin: str
    via: str = ""
    nodes: int = 0
    lines: list[str] = field(default_factory=list)
    found: list[Diagnostic] = field(default_factory=list)
    inside_alias: bool = False
    aliases: dict[int, str] = field(default_factory=dict)  # id of a node → where it is used

    def __post_init__(self) -> None:
        self.text = self.text.replace("\r\n", "\n").replace("\r", "\n")
        self.lines = self.text.split("\n")

    def fail(self, code: str, message: str, span: Span | None, help: str = "") -> SpecError:
        return SpecError([*self.found, Diagnostic(code, message, span, help=help)])

    def tell(self, message: str, span: Span, help: str = "", code: str = "E006") -> None:
        """Note a mistake that leaves the rest readable; in what an alias repeats, only once."""
        if not self.inside_alias:
            self.found.append(Diagnostic(code, message, span, help=help))

    def span(self, start: Any, end: Any = None) -> Span:
        """The part of the first line between two marks of the parser."""
        line = min(start.line, len(self.lines) - 1)
        text = self.lines[line]
        column = min(start.column, len(text))
        last = end.column if end is not None and end.line == start.line else len(text.rstrip())
        return Span(self.source, line + 1, column + 1, max(column + 2, last + 1), text, self.via)

    def document(self) -> Node:
        root = self._compose()
        if root is None:
            raise self.fail(
                "E005", f"{self.source} is empty", None, "`ppoc init` writes a first spec"
            )
        return self.node(root, 0)

    def _compose(self) -> Any:
        from ruamel.yaml import YAML
        from ruamel.yaml.composer import Composer
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
        from ruamel.yaml.events import AliasEvent

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
            """Stops at the limits, not after a whole file; keeps tags, and places of aliases."""

            nodes = 0
            level = -1

            def compose_node(self, parent: Any, index: Any) -> Any:
                event = self.parser.peek_event()
                self.nodes += 1
                if self.nodes > 2 * MAX_NODES:  # keys are nodes too
                    raise reader.fail("E004", TOO_MANY, reader.span(event.start_mark))
                self.level += 1
                if self.level > MAX_DEPTH:
                    raise reader.fail("E004", TOO_DEEP, reader.span(event.start_mark), FLATTEN)
                node = super().compose_node(parent, index)
                self.level -= 1
                return reader.alias(node, event) if isinstance(event, AliasEvent) else node

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
        except MarkedYAMLError as error:
            if "single document" in str(error):
                here = self.span(error.problem_mark)
                help = "keep one document a file, without `---`"
                raise self.fail("E006", "a second document", here, help) from error
            raise self._parser_error(error) from error
        except (YAMLError, ValueError, AssertionError, AttributeError, IndexError) as error:
            # All but the first are the YAML parser's own slips on garbage: the text is at fault.
            raise self.fail("E002", f"not YAML: {_first_line(error)}", None) from error

    def _parser_error(self, error: Any) -> SpecError:
        mark = error.problem_mark or error.context_mark
        span = self.span(mark, None) if mark is not None else None
        if span is not None:
            span = replace(span, end_column=span.column + 1)
        help = next((hint for part, hint in HINTS.items() if part in str(error.problem)), "")
        if span is not None and "\t" in span.text[: span.column]:
            help = "YAML does not allow tabs for indentation; use spaces"
        return self.fail("E002", f"not YAML: {error.problem or _first_line(error)}", span, help)

    def node(self, raw: Any, depth: int, key_span: Span | None = None) -> Node:
        self.nodes += 1
        here = self.span(raw.start_mark, raw.end_mark)
        if key_span is not None and raw.start_mark.index == raw.end_mark.index:
            here = key_span  # of a value that is not there
        if self.nodes > MAX_NODES:
            raise self.fail("E004", TOO_MANY, here)
        if depth > MAX_DEPTH:
            raise self.fail("E004", TOO_DEEP, here, FLATTEN)
        outer = self.via, self.inside_alias
        if id(raw) in self.aliases:
            self.via, self.inside_alias = self.aliases[id(raw)], True
        tag = str(raw.tag or "")
        if not re.fullmatch(r"tag:yaml\.org,2002:\w+", tag):
            self.tell(f"the tag {tag[:80]} means nothing here", here, "remove it")
        if type(raw).__name__ == "MappingNode":
            value: Any = self.mapping(raw, depth)
        elif type(raw).__name__ == "SequenceNode":
            value = [self.node(item, depth + 1) for item in raw.value]
        else:
            value = self.scalar(raw, here)
        self.via, self.inside_alias = outer
        return Node(value, here, key_span, self.origin)

    def alias(self, node: Any, event: Any) -> Any:
        """The node that an alias stands for, with the place of the alias for its own."""
        here = copy.copy(node)
        here.start_mark, here.end_mark = event.start_mark, event.end_mark
        self.aliases[id(here)] = f"used as *{event.anchor} on line {event.start_mark.line + 1}"
        return here

    def mapping(self, raw: Any, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for raw_key, raw_value in raw.value:
            here = self.span(raw_key.start_mark, raw_key.end_mark)
            if type(raw_key).__name__ != "ScalarNode":
                self.tell("a key must be a word", here, "write `key: value`")
                continue
            if raw_key.value == "<<" and raw_key.style is None:
                self.merge(raw_value, depth, merged)
                continue
            word = self.characters(raw_key.value, here)
            key = GREEK.get(word, word)
            if key in found:
                first = found[key].key_span
                where = f"; first on line {first.line}" if first else ""
                message = f"`{key[:80]}` is given twice"
                self.tell(message, here, f"keep one{where}", "E003")
                self.node(raw_value, depth + 1, here)  # for the mistakes in it
                continue
            found[key] = self.node(raw_value, depth + 1, here)
        return {**merged, **found}

    def merge(self, raw: Any, depth: int, into: dict[str, Node]) -> None:
        """YAML's `<<`: keys of other mappings, of which the first wins."""
        items = raw.value if type(raw).__name__ == "SequenceNode" else [raw]
        for item in items:
            if type(item).__name__ != "MappingNode":
                span = self.span(item.start_mark, item.end_mark)
                help = "such as `<<: *name`, with `&name` before a mapping above"
                self.tell("`<<` takes a mapping", span, help)
                continue
            for key, node in self.node(item, depth + 1).value.items():
                into.setdefault(key, node)

    def characters(self, text: str, here: Span) -> str:
        r"""Text without what an escape such as `\ud800` makes: no file can hold it."""
        if re.search("[\ud800-\udfff]", text):
            self.tell("half of a surrogate pair is no character", here, "remove it")
        return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)

    def scalar(self, raw: Any, here: Span) -> Any:
        text = self.characters(raw.value, here)
        is_text = raw.style is not None and str(raw.tag).endswith(":str")
        return text if is_text else plain_scalar(text)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
