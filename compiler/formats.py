"""Diagnostics for editors and continuous integration: JSON, SARIF, GitHub."""

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ppoc.compiler.batch import Report
from ppoc.compiler.front.diagnostics import Diagnostic, to_json
from ppoc.compiler.pages import pages
from ppoc.formats.text import printable

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def as_json(reports: Sequence[Report]) -> str:
    """A list with an object for each diagnostic."""
    rows = [
        {"spec": str(report.path), **row} for report in reports for row in to_json(report.found)
    ]
    return json.dumps(rows, indent=2)


def as_sarif(reports: Sequence[Report]) -> str:
    """One run in the Static Analysis Results Interchange Format, version 2.1.0 (OASIS 2020)."""
    found = list(_each(reports))
    codes = sorted({diagnostic.code for _, diagnostic in found})
    driver = {"name": "ppoc", "version": version("ppoc"), "rules": [_rule(code) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(path, one, codes.index(one.code)) for path, one in found],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def as_github(reports: Sequence[Report]) -> str:
    """Workflow commands that GitHub shows beside the lines of a pull request, one a line."""
    return "\n".join(_command(path, diagnostic) for path, diagnostic in _each(reports))


def _each(reports: Sequence[Report]) -> Iterator[tuple[Path, Diagnostic]]:
    """Every diagnostic with the file to show it at; of a file that many extend, once."""
    rows = [(_file(report.path, one), one) for report in reports for one in report.found]
    return iter(dict.fromkeys(rows))


def _file(spec: Path, diagnostic: Diagnostic) -> Path:
    """The file with the place of a diagnostic; the spec where the place is in a flag or preset."""
    span = diagnostic.span
    return Path(span.source) if span is not None and span.is_file else spec


def _text(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    place = ""
    if span is not None:
        place = span.via if span.is_file else span.source
    lines = [diagnostic.message + (f" ({place})" if place else "")]
    lines += [f"{word}: {text}" for word, text in diagnostic.reasons if text]
    return "\n".join(printable(line) for line in lines)


def _rule(code: str) -> dict[str, Any]:
    page = pages()[code]
    level = "warning" if code.startswith("W") else "error"
    return {
        "id": code,
        "shortDescription": {"text": page.title},
        "help": {"text": page.text, "markdown": page.text},
        "defaultConfiguration": {"level": level},
    }


def _result(path: Path, diagnostic: Diagnostic, rule: int) -> dict[str, Any]:
    span = diagnostic.span
    if path.is_absolute():
        artifact = {"uri": path.as_uri()}
    else:
        artifact = {"uri": quote(path.as_posix()), "uriBaseId": "%SRCROOT%"}
    place: dict[str, Any] = {"artifactLocation": artifact}
    if span is not None and span.is_file:
        place["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "endColumn": span.end_column,
        }
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": _text(diagnostic)},
        "locations": [{"physicalLocation": place}],
    }


def _command(path: Path, diagnostic: Diagnostic) -> str:
    properties = {"file": path.as_posix()}
    span = diagnostic.span
    if span is not None and span.is_file:
        properties |= {"line": str(span.line), "col": str(span.column)}
        properties["endColumn"] = str(span.end_column)
    properties["title"] = f"{diagnostic.code}: {pages()[diagnostic.code].title}"
    pairs = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{diagnostic.severity} {pairs}::{_data(_text(diagnostic))}"


def _data(text: str) -> str:
    """Text of a workflow command, escaped as GitHub's toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")
