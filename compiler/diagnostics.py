"""Diagnostics: what is wrong, where, why, and what to do about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# E00x is about reading, E01x structure, E1xx meaning, E2xx formulas; W is advice.
CODES = {
    "E001": "the spec cannot be read",
    "E002": "the text is not YAML",
    "E003": "a key is given twice",
    "E004": "the document is too large",
    "E005": "the document is not a mapping",
    "E006": "a YAML feature that specs do not have",
    "E010": "unknown key",
    "E011": "wrong type",
    "E012": "value out of range",
    "E013": "a key is missing",
    "E014": "unknown choice",
    "E015": "unknown version of the spec language",
    "E016": "unknown preset",
    "E017": "a spec cannot be extended",
    "E018": "an override cannot be applied",
    "E101": "the minibatch size does not divide the rollout",
    "E102": "the environments do not divide the rollout",
    "E103": "unknown environment",
    "E104": "an estimator without its critic",
    "E105": "unsupported actions",
    "E106": "unsupported observations",
    "E107": "the backend cannot run the environment",
    "E108": "a shared critic with parts of its own",
    "E109": "advantages of a single sample cannot be normalised",
    "E110": "a critic or baseline that nothing uses",
    "E111": "returns of unfinished episodes",
    "E112": "a trust region that cannot hold",
    "E113": "an adaptive value without a target, or a target without one",
    "E114": "a value that the cross-entropy method does not use",
    "E115": "a buffer of old samples that nothing weighs",
    "E116": "a method that does not know such actions",
    "E117": "a body without what it needs",
    "E118": "a memory that cannot be learnt",
    "E120": "numbers of another optimiser",
    "E121": "a schedule that does not go forward",
    "E122": "preprocessing that does not fit",
    "E123": "action masks that cannot be used",
    "E124": "a distribution that does not fit",
    "E201": "an objective that is no formula, or makes no sense",
    "W101": "less than one iteration is asked for",
    "W201": "the critic learns slower than the actor",
    "W202": "networks larger than needed",
    "W203": "many epochs without a limit on the KL divergence",
    "W204": "GAE is turned off",
    "W205": "large rewards are not normalised",
}


@dataclass(frozen=True)
class Span:
    """A stretch of one line of a source; lines and columns count from 1."""

    source: str
    line: int
    column: int
    end_column: int
    text: str  # the whole line

    @property
    def is_override(self) -> bool:
        """Whether the source is a command-line flag rather than a file."""
        return self.source.startswith("-s ")

    def label(self) -> str:
        """Where this is, in a few words."""
        return self.source if self.is_override else f"{Path(self.source).name}:{self.line}"


@dataclass(frozen=True)
class Diagnostic:
    """One problem of a spec."""

    code: str
    message: str
    span: Span | None = None
    why: str = ""
    help: str = ""

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "warning" if self.code.startswith("W") else "error"


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
    lines = [f"{head}: {paint(_escaped(diagnostic.message), _BOLD)}"]
    margin = " "
    if diagnostic.span is not None:
        span = diagnostic.span
        number = "" if span.is_override else str(span.line)
        margin = " " * max(1, len(number))
        source = _escaped(span.source)
        place = source if span.is_override else f"{source}:{span.line}:{span.column}"
        bar = paint(f"{margin} |", _BLUE)
        text, caret = _excerpt(span)
        lines += [
            f"{paint(margin + '-->', _BLUE)} {place}",
            bar,
            f"{paint(f'{number:>{len(margin)}} |', _BLUE)} {text}",
            f"{bar} {paint(caret, style)}",
        ]
    for label, text in (("why", diagnostic.why), ("help", diagnostic.help)):
        if text:
            lines.append(f"{paint(f'{margin} =', _BLUE)} {label}: {_escaped(text)}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """One printable line: what a spec or a library says must not steer the terminal."""
    line = text.replace("\n", " ")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _excerpt(span: Span) -> tuple[str, str]:
    """The part of a span's line around it, one column a character, and the caret below."""
    start = max(0, span.column - 1 - WIDTH // 2) if len(span.text) > WIDTH else 0
    end = start + WIDTH
    shown = span.text[start:end].replace("\t", " ")
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
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
                "message": diagnostic.message,
                "source": span.source if span else None,
                "line": span.line if span else None,
                "column": span.column if span else None,
                "end_column": span.end_column if span else None,
                "why": diagnostic.why,
                "help": diagnostic.help,
            }
        )
    return rows
