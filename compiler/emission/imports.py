"""Import statements, sorted as formatters sort them."""

import sys
from collections.abc import Iterable

from ppoc.compiler.emission.literals import Code


def import_lines(statements: Iterable[str]) -> list[Code]:
    """Lines of a module's imports: the standard library's, those of others, ppoc's own."""
    statements = set(statements)
    own = sorted(line for line in statements if line.split()[1].partition(".")[0] == "ppoc")
    lines = [*sorted_imports(statements - set(own)), "", *own]
    return [Code(line) for line in lines]


def sorted_imports(statements: set[str]) -> list[str]:
    """Statements as a formatter would sort them, with names of one module together."""
    together: dict[str, set[str]] = {}
    plain = set()
    for statement in statements:
        head, _, names = statement.partition(" import ")
        if head.startswith("from "):
            together.setdefault(head, set()).add(names)
        else:
            plain.add(statement)

    def by_kind(name: str) -> tuple[bool, bool, str]:
        return not name.isupper(), not name[0].isupper(), name

    lines = [
        *sorted(plain),
        *(f"{h} import {', '.join(sorted(n, key=by_kind))}" for h, n in together.items()),
    ]

    def outside(line: str) -> bool:
        return line.split()[1].partition(".")[0] not in sys.stdlib_module_names

    def order(line: str) -> tuple[bool, str]:
        return line.startswith("from "), line.split()[1]

    groups = ([x for x in lines if outside(x) == wanted] for wanted in (False, True))
    first, second = (sorted(group, key=order) for group in groups)
    return [*first, "", *second]
