"""An objective as mathematics: its formula, its numbers, and the meaning of its symbols."""

import textwrap

from ppoc.compiler.emission.literals import Code, prose
from ppoc.compiler.emission.rendering import WIDTH
from ppoc.compiler.formula.notation import unicode_text
from ppoc.compiler.formula.objectives import Objective, walk
from ppoc.compiler.formula.parser import Name


def block(what: str, objective: Objective) -> str:
    """An objective with its title and source, in symbols and with its numbers."""
    text, filled = unicode_text(objective.tree), unicode_text(objective.tree, numbers=True)
    lines = [f"{what}: {objective.title} ({objective.source})", f"    E[{text}]"]
    if filled != text:
        lines.append(f"    E[{filled}]")
    return "\n".join(lines)


def symbols(*objectives: Objective) -> str:
    """The symbols of some objectives, with their meanings."""
    rows = {}
    for objective in objectives:
        for node in walk(objective.tree):
            if isinstance(node, Name):
                value = node.symbol.value
                known = f" = {value:g}" if value is not None else ""
                rows[node.symbol.text + known] = node.symbol.meaning
    width = max(map(len, rows))
    return "where\n" + "\n".join(f"    {name:<{width}}  {text}" for name, text in rows.items())


def objective_comment(objective: Objective, verb: str) -> list[Code]:
    """An objective with its title and source, as lines of a comment."""
    text = f"{verb} E[{unicode_text(objective.tree)}]: {objective.title} ({objective.source})"
    return [Code(line) for line in textwrap.wrap(prose(text), WIDTH - 6)]
