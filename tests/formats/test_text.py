"""Text of others steers no terminal, has an end, and is no Markdown."""

import ast
import json
from pathlib import Path

import pytest

from ppoc.formats.text import (
    LONGEST,
    MOST_LINES,
    escaped,
    escaped_json,
    is_printable,
    lines,
    markdown,
    markdown_block,
    markdown_code,
    printable,
)

ROOT = Path(__file__).parents[2]
STEERING = {
    "clears the screen": "\x1b[2J",
    "one byte of C1": "\x9b2J",
    "rings": "\a",
    "returns": "\r",
    "writes backwards": "\u202e",
    "isolates": "\u2066",
    "no width": "\u200b",
    "a mark of byte order": "\ufeff",
    "a filler": "\u3164",
    "a selector": "\ufe0f",
    "a tag": "\U000e0041",
    "half a pair": "\udc80",
    "a line of Unicode": "\u2028",
}


@pytest.mark.parametrize("kind", STEERING)
def test_what_steers_or_hides_is_escaped(kind):
    text = f"a{STEERING[kind]}b"
    for made in (escaped, printable, lines, markdown, markdown_code, escaped_json):
        shown = made(text)
        assert is_printable(shown), made
        assert shown.isascii(), made
        assert STEERING[kind] not in shown
    assert json.loads(escaped_json(json.dumps([text], ensure_ascii=False))) == [text]


@pytest.mark.parametrize("text", ["plain", "γ → 日本 ü", "two\nlines", "", "a\\x1b"])
def test_what_can_be_read_stays(text):
    assert escaped(text) == escaped_json(text) == lines(text) == text


def test_text_has_an_end():
    assert len(printable("x" * 5_000_000)) < LONGEST + 50
    assert printable("x" * 5_000_000).endswith("… (4,998,000 characters more)")
    assert len(printable("\x1b" * 5_000_000)) < 5 * LONGEST
    many = lines("x\n" * 5_000)
    assert many.count("\n") == MOST_LINES
    assert many.endswith("… (4,001 lines more)")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# <b>x</b>", r"\# \<b\>x\</b\>"),
        ("[x](javascript:y) | ![z](http://w)", r"\[x\](javascript\:y) \| \!\[z\](http\://w)"),
        ("two\n# lines", r"two \# lines"),
        ("www.x.org @user `code` _a_ ~b~ &amp;", r"www\.x.org \@user \`code\` \_a\_ \~b\~ \&amp;"),
        ("CartPole-v1 2.0", "CartPole-v1 2.0"),
    ],
)
def test_markdown_shows_text_as_it_is(text, shown):
    assert markdown(text) == shown


def test_no_text_ends_the_code_that_it_is_in():
    assert markdown_code("CartPole-v1") == "`CartPole-v1`"
    assert markdown_code("a`b``c") == "``` a`b``c ```"
    assert markdown_block("x\n````\n<b>", "yaml") == "`````yaml\nx\n````\n<b>\n`````"


def test_only_one_file_of_the_command_line_prints():
    for path in sorted((ROOT / "cli").glob("*.py")):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        prints = [
            c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print" and c.args
        ]
        assert not prints or path.name == "terminal.py", path
