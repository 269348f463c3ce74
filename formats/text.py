"""Text of others, made fit to be shown: it steers no terminal, and has an end."""

import re

LONGEST = 2_000  # characters of a line
MOST_LINES = 1_000

# Characters that Python calls printable, but shows as nothing: fillers, joiners, selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def is_printable(text: str) -> bool:
    """Whether every character of a text is seen, and seen where it stands."""
    return text.isprintable() and not _UNSEEN.search(text)


def escaped(text: str) -> str:
    """A text with escapes for all that cannot be seen or steers a terminal, but ends of lines."""
    if all(map(is_printable, text.split("\n"))):
        return text
    return "".join(c if c == "\n" or is_printable(c) else _escape(c) for c in text)


def escaped_json(text: str) -> str:
    """The same for the text of a JSON document, which means what it did."""
    if all(map(is_printable, text.split("\n"))):
        return text
    return "".join(c if c == "\n" or is_printable(c) else _escape_json(c) for c in text)


def shortened(text: str, limit: int = LONGEST) -> str:
    """A text of at most `limit` characters, and a word on how many more there are."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} characters more)"


def printable(text: str, limit: int = LONGEST) -> str:
    """One line that can be shown, of any text."""
    return escaped(shortened(text, limit).replace("\n", " "))


def lines(text: str) -> str:
    """Lines that can be shown, of a text of many lines, long ones and the last ones shortened."""
    found = text.split("\n", MOST_LINES)
    rest = found[MOST_LINES:]
    shown = [printable(line) for line in found[:MOST_LINES]]
    if rest:
        shown.append(f"… ({rest[0].count(chr(10)) + 1:,} lines more)")
    return "\n".join(shown)


def markdown(text: str) -> str:
    """One line that Markdown shows as it is, of any text: no link, markup or HTML."""
    plain = re.sub(r"([\\`*_\[\]<>&|~$:@#!])", r"\\\1", printable(text))
    return plain.replace("www.", "www\\.")


def markdown_code(text: str) -> str:
    """One line in the type of code, of any text."""
    plain = printable(text)
    ticks = _longer_than_any(plain, 1)
    pad = " " if "`" in plain or not plain.strip() else ""
    return f"{ticks}{pad}{plain}{pad}{ticks}"


def markdown_block(text: str, language: str) -> str:
    """Lines of code, of a text in which fences may stand too."""
    fence = _longer_than_any(text, 3)
    return f"{fence}{language}\n{escaped(text)}\n{fence}"


def _longer_than_any(text: str, least: int) -> str:
    runs = [len(run) + 1 for run in re.findall("`+", text)]
    return "`" * max([least, *runs])


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _escape_json(character: str) -> str:
    data = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[i : i + 2].hex()}" for i in range(0, len(data), 2))
