"""The page of each code: what it means, the smallest spec that has it, what to do about it.

A page is a Markdown file in codes/, whose first line is `# CODE: title`. `ppoc explain CODE` prints
it, and the tests run the command in it.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True)
class Page:
    """The page on a code: its title and text."""

    code: str
    title: str
    text: str


@cache
def pages() -> dict[str, Page]:
    """Code → page, of every code."""
    folder = Path(str(files("ppoc.compiler"))) / "codes"
    return {path.stem: _page(path) for path in sorted(folder.glob("*.md"))}


def _page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    head = text.partition("\n")[0]
    return Page(path.stem, head.removeprefix(f"# {path.stem}: "), text)


INDEX = """\
# What the compiler may say

Written by `ppoc explain --codes`; a test keeps it so. `ppoc explain E104` prints the page of a
code. A warning is advice: `# ppoc: allow W203`, on its line or on one of its own, silences it.
"""
PARTS = {
    "E0": "Reading a spec",
    "E1": "What a spec means",
    "E2": "Formulas",
    "E3": "Experiments",
    "E4": "Learning from human feedback",
    "E9": "Imports",
    "W1": "Warnings",
    "W2": "Advice",
    "W3": "Advice on experiments",
    "W4": "Advice on learning from human feedback",
}


def index() -> str:
    """The codes with their titles, as Markdown with links to the pages, for docs/codes.md."""
    lines, part = [INDEX.rstrip()], ""
    for code, page in pages().items():
        if code[:2] != part:
            part = code[:2]
            lines += ["", f"## {PARTS[part]}", ""]
        lines.append(f"- [{code}](../compiler/codes/{code}.md): {page.title}")
    return "\n".join(lines) + "\n"
