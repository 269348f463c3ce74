"""Diagnostics: what is wrong, where, why, and what to do about it.

E00x is about reading, E01x structure, E1xx meaning, E2xx formulas; W is advice. Each code has a
page in codes/.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ppoc.formats.text import is_printable, printable, shortened


@dataclass(frozen=True)
class Span:
    """A stretch of one line of a source; lines and columns count from 1."""

    source: str
    line: int
    column: int
    end_column: int
    text: str  # the whole line
    via: str = ""  # how a spec comes to it, such as "extended by spec.yaml:1"

    @property
    def is_override(self) -> bool:
        """Whether the source is a command-line flag rather than a file."""
        return self.source.startswith("-s ")

    @property
    def is_file(self) -> bool:
        """Whether the source is a file, rather than a flag or a preset."""
        return not self.is_override and not re.fullmatch(r"preset [a-z0-9-]+", self.source)

    def label(self) -> str:
        """Where this is, in a few words."""
        return self.source if self.is_override else f"{Path(self.source).name}:{self.line}"


@dataclass(frozen=True)
class Diagnostic:
    """One problem of a spec; `code` is one of those that have a page."""

    code: str
    message: str
    span: Span | None = None
    why: str = ""
    help: str = ""

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "warning" if self.code.startswith("W") else "error"

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        """The texts to show below the place, each after its name: why and help."""
        return ("why", self.why), ("help", self.help)


class SpecError(Exception):
    """A spec that cannot be compiled, with every problem found, in the order of the source."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = ordered(diagnostics)
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in self.diagnostics))


def ordered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics without repetitions, by source, line and column."""

    def key(diagnostic: Diagnostic) -> tuple[Any, ...]:
        span = diagnostic.span
        place = (
            (span.is_override, span.source, span.line, span.column) if span else (False, "", 0, 0)
        )
        return (*place, diagnostic.code)

    return sorted(dict.fromkeys(diagnostics), key=key)


WIDTH = 200  # of an excerpt, in characters
_RED, _YELLOW, _BLUE, _BOLD, _PLAIN = "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[1m", "\033[0m"


def render(diagnostics: Sequence[Diagnostic], *, color: bool = False) -> str:
    """Diagnostics for a terminal, with the line each is about and a caret under the place.

    What a spec or a flag says is shown in printable characters only, long lines around the place.
    """
    blocks = [_render_one(diagnostic, color) for diagnostic in diagnostics]
    return "\n\n".join(blocks)


def _render_one(diagnostic: Diagnostic, color: bool) -> str:
    def paint(text: str, style: str) -> str:
        return f"{style}{text}{_PLAIN}" if color else text

    style = _RED if diagnostic.severity == "error" else _YELLOW
    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", style)
    lines = [f"{head}: {paint(printable(diagnostic.message), _BOLD)}"]
    margin = " "
    if diagnostic.span is not None:
        span = diagnostic.span
        number = "" if span.is_override else str(span.line)
        margin = " " * max(1, len(number))
        source = printable(span.source)
        place = source if span.is_override else f"{source}:{span.line}:{span.column}"
        place += f" ({printable(span.via)})" if span.via else ""
        bar = paint(f"{margin} |", _BLUE)
        text, caret = _excerpt(span)
        lines += [
            f"{paint(margin + '-->', _BLUE)} {place}",
            bar,
            f"{paint(f'{number:>{len(margin)}} |', _BLUE)} {text}",
            f"{bar} {paint(caret, style)}",
        ]
    for label, text in diagnostic.reasons:
        if text:
            lines.append(f"{paint(f'{margin} =', _BLUE)} {label}: {printable(text)}")
    return "\n".join(lines)


def _excerpt(span: Span) -> tuple[str, str]:
    """The part of a span's line around it, one column a character, and the caret below."""
    start = max(0, span.column - 1 - WIDTH // 2) if len(span.text) > WIDTH else 0
    end = start + WIDTH
    shown = span.text[start:end].replace("\t", " ")
    text = "".join(c if is_printable(c) else "\N{REPLACEMENT CHARACTER}" for c in shown)
    before, after = ("…" if start else ""), ("…" if end < len(span.text) else "")
    column = span.column - 1 - start + len(before)
    length = max(1, min(span.end_column - 1, end) - (span.column - 1))
    return f"{before}{text}{after}", " " * column + "^" * length


def to_json(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Diagnostics as plain data, for editors and CI."""
    rows = []
    for diagnostic in diagnostics:
        span = diagnostic.span
        rows.append(
            {
                "code": diagnostic.code,
                "severity": diagnostic.severity,
                "message": shortened(diagnostic.message),
                "source": span.source if span else None,
                "line": span.line if span else None,
                "column": span.column if span else None,
                "end_column": span.end_column if span else None,
                "via": span.via if span else "",
                "why": shortened(diagnostic.why),
                "help": shortened(diagnostic.help),
            }
        )
    return rows
