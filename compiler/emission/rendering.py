"""Templates to text: lines as formatters would have them, constants checked to be the plan's."""

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import jinja2

from ppoc.compiler.emission.constants import Constant
from ppoc.compiler.emission.features import Slot
from ppoc.compiler.emission.literals import Code, identifier, literal, prose

WIDTH = 100
STRING = re.compile(r"""\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'""")


def rendered(
    template: str,
    context: Mapping[str, Any],
    groups: Iterable[Iterable[Constant]],
    more: Mapping[str, Any] | None = None,
) -> str:
    """The text of a template, whose constants are seen to be those of `groups`, and `more`.

    Raises:
        RuntimeError: the text is not Python or its constants are others: a compiler bug.
    """
    text = environment().get_template(template).render(context)
    text = re.sub(r"\n{4,}", "\n\n\n", text).rstrip("\n") + "\n"
    text = "\n".join(folded(line) for line in text.split("\n"))
    named = [constant for group in groups for constant in group]
    expected = {constant.name: constant.value for constant in named}
    if len(expected) < len(named):
        raise RuntimeError("two constants have the same name")
    verify(text, {**expected, **(more or {})})
    return text


@cache
def environment() -> jinja2.Environment:
    """The environment of Jinja that all templates are rendered in."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("ppoc.templates", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        finalize=_only_code,
        extensions=[Slot],
    )
    made.filters.update(literal=literal, prose=prose, assignment=_assignment)
    made.filters.update(more=lambda items: Code("".join(f", {item}" for item in items)))
    made.filters.update(terms=lambda items: Code("".join(items)))
    made.filters.update(deeper=deeper)
    made.globals.update(fit=fit)
    return made


def _only_code(value: Any) -> Any:
    """Let nothing into a module but what a filter or the compiler itself made into code."""
    if isinstance(value, Code):
        return value
    raise TypeError(f"unchecked value in a template: {value!r}")


def deeper(text: str) -> str:
    """Lines of a template's own text, one level deeper."""
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(True))


def docstring(*paragraphs: str, indent: int = 4) -> Code:
    """A docstring of paragraphs, on one line where it is one, at the place of its first quotes."""
    pad = " " * indent
    first, *rest = (paragraph for paragraph in paragraphs if paragraph)
    if not rest:
        return Code(f'"""{first}"""')
    more = "".join(f"\n\n{pad}{paragraph}" for paragraph in rest)
    return Code(f'"""{first}{more}\n{pad}"""')


def _assignment(constant: Constant) -> Code:
    name, value = identifier(constant.name), constant.value
    note = f"  # {prose(constant.note)}" if constant.note else ""
    line = f"{name} = {literal(value)}{note}"
    if len(line) <= WIDTH or not isinstance(value, tuple | dict):
        return Code(line)
    if isinstance(value, tuple):
        items = [literal(item) for item in value]
        return Code(
            f"{name} = ({note}\n" + "".join(folded(f"    {item},") + "\n" for item in items) + ")"
        )
    items = [Code(f"{literal(key)}: {literal(item)}") for key, item in value.items()]
    return Code(f"{name} = {{{note}\n" + "".join(f"    {item},\n" for item in items) + "}")


def fit(prefix: str, fixed: str, more: list[Code], suffix: str, indent: int = 0) -> Code:
    """A call or signature on one line where it fits, else broken as the usual formatters do.

    `prefix`, `fixed` arguments and `suffix` are the template's own text.
    """
    arguments = [*fixed.split(", "), *(_only_code(argument) for argument in more)]
    pad, joined = " " * indent, ", ".join(arguments)
    if indent + len(prefix + joined + suffix) <= WIDTH:
        return Code(prefix + joined + suffix)
    if indent + 4 + len(joined) <= WIDTH:
        return Code(f"{prefix}\n{pad}    {joined}\n{pad}{suffix}")
    lines = "".join(f"{pad}    {argument},\n" for argument in arguments)
    return Code(f"{prefix}\n{lines}{pad}{suffix}")


def folded(line: str) -> str:
    """A line of code that is too long, folded at its last fitting brackets.

    What is inside stands on a line of its own, or each argument does where that is too long, too.
    """
    if len(line) <= WIDTH or line.lstrip().startswith(("#", '"""')):
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    for start, end in reversed(_brackets(line)):
        parts = (line[: start + 1], f"{indent}    {line[start + 1 : end]}", indent + line[end:])
        if end > start + 1 and all(len(part) <= WIDTH for part in parts):
            return "\n".join(parts)
    for start, end in reversed(_brackets(line)):
        each = [f"{indent}    {argument}," for argument in _arguments(line[start + 1 : end])]
        rows = [line[: start + 1], *each, indent + line[end:]]
        if len(each) > 1 and all(len(row) <= WIDTH for row in rows):
            return "\n".join(rows)
    return line


def _arguments(text: str) -> list[str]:
    """The parts of a text between the commas that stand outside of brackets and strings."""
    plain, cuts = list(STRING.sub(lambda m: "_" * len(m[0]), text)), [0]
    for start, end in _brackets(text):
        plain[start : end + 1] = "_" * (end + 1 - start)
    cuts += [index + 1 for index, character in enumerate(plain) if character == ","]
    return [text[a:b].strip(" ,") for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _brackets(line: str) -> list[tuple[int, int]]:
    """Where the outermost brackets of a line begin and end."""
    found, depth, start = [], 0, 0
    for index, character in enumerate(STRING.sub(lambda m: "_" * len(m[0]), line)):
        if character in "([{":
            start = index if depth == 0 else start
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                found.append((start, index))
    return found


def verify(text: str, expected: dict[str, Any]) -> None:
    """Compare the constants of the emitted text with the plan's."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise RuntimeError(f"the emitted module is not Python: {error}") from error
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in expected:
                found[name] = ast.literal_eval(node.value)
    for name, value in expected.items():
        if name not in found or found[name] != value:
            raise RuntimeError(
                f"the emitted module has {name} = {found.get(name)!r}, not {value!r}"
            )
