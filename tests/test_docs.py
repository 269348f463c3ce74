"""Docs name what there is: links and their anchors, files in backticks, modules in programs."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "benchmarks|cli|compiler|docs|draft|exporting|formats|importing|runtime|templates|tests"
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(rf"`((?:{FOLDERS}|specs)/[\w./-]+\.\w+)(?:::\w+)?`")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
IMPORT = re.compile(r"^(?:from|import) (ppoc[\w.]*)", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = ("NAME", "file.jinja", "E126", "CODE")  # that stand for any


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", CODE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        page = (path.parent / name) if name else path
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), target


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_files_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    for name in FILE.findall(text):
        assert (ROOT / name).exists() or any(word in name for word in EXAMPLES), name
    for name, test in TEST.findall(text):
        assert re.search(rf"\bdef {test}\b", (ROOT / name).read_text(encoding="utf-8")), test


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_modules_that_programs_import_exist(path):
    for block in CODE.findall(path.read_text(encoding="utf-8")):
        for name in IMPORT.findall(block):
            importlib.import_module(name)
