"""Formulas written out: as torch source, in Unicode, and in LaTeX."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ppoc.compiler.emission.literals import Code, literal
from ppoc.compiler.formula.parser import (
    Binary,
    Call,
    FormulaError,
    Kind,
    Name,
    Negative,
    Node,
    Number,
    children,
)

# How tightly each form binds, loosest first.
SUM, PRODUCT, SIGN, POWER, ATOM = range(5)
ROOM = 96  # for a line that the template indents by four
CALLED = {
    "clip": "bounded",
    "min": "smaller",
    "max": "larger",
    "exp": "exponential",
    "log": "logarithm",
    "sqrt": "root",
    "abs": "magnitude",
    "constant": "fixed",
}
LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "**": POWER}


def statements(node: Node, target: str, renamed: Mapping[str, str]) -> list[Code]:
    """Lines that compute a formula into `target`, each clip on a line of its own before it.

    `renamed` has the names of constants that are arguments of the loss in this module.

    Raises:
        FormulaError: a function that needs a tensor is applied to one number.
    """
    writer = _Writer(renamed, [], {}, _repeated(node))
    writer.assign(node, target)
    return writer.lines


def _repeated(node: Node) -> set[str]:
    """Keys of the function calls that occur more than once in a formula."""
    seen: Counter[str] = Counter()
    pending = [node]
    while pending:
        part = pending.pop()
        pending += children(part)
        if isinstance(part, Call):
            seen[_key(part)] += 1
    return {key for key, count in seen.items() if count > 1}


def _key(node: Node) -> str:
    """The same for equal formulas."""
    return unicode_text(node)


@dataclass
class _Writer:
    """Writes torch source; what occurs more than once, or is too long, has a line of its own."""

    renamed: Mapping[str, str]
    lines: list[Code]
    names: dict[str, str]  # of calls with a line of their own, by key
    repeated: set[str]
    parts: dict[int, str] = field(default_factory=dict)  # names of nodes that were too long
    count: int = 0

    def assign(self, node: Node, target: str) -> None:
        """Lines that compute a node into a name, none of them too long."""
        text, _ = self.write(node)
        line = f"{target} = {text}"
        if len(line) > ROOM and isinstance(node, Call) and text.startswith("torch."):
            inner = [f"        {self.write(part)[0]}," for part in node.arguments]
            line = "\n".join([f"{target} = torch.{node.function}(", *inner, "    )"])
        elif len(line) > ROOM and isinstance(node, Binary) and node.operator in LEVELS:
            terms = self.terms(node, LEVELS[node.operator])
            inner = [f"        {term}" for term in terms]
            # A term in parentheses would be broken otherwise by the usual formatters.
            if not any(term.lstrip("+-*/ ").startswith("(") for term in terms):
                line = "\n".join([f"{target} = (", *inner, "    )"])
        if any(len(part) > ROOM for part in line.split("\n")):
            for part in children(node):
                if children(part):
                    self.count += 1
                    name = f"part_{self.count}"
                    self.assign(part, name)
                    self.parts[id(part)] = name
            text, _ = self.write(node)
            line = f"{target} = {text}"
        self.lines.append(Code(line))

    def write(self, node: Node) -> tuple[str, int]:
        if id(node) in self.parts:
            return self.parts[id(node)], ATOM
        if isinstance(node, Number):
            value = node.value or 0.0
            return literal(int(value) if value.is_integer() else value), ATOM
        if isinstance(node, Name):
            return self.renamed.get(node.symbol.code, node.symbol.code), ATOM
        if isinstance(node, Negative):
            return f"-{_inside(self.write(node.operand), SIGN)}", SIGN
        if isinstance(node, Binary):
            return self.binary(node)
        if isinstance(node, Call):
            return self.call(node), ATOM
        raise TypeError(type(node).__name__)

    def binary(self, node: Binary) -> tuple[str, int]:
        level = LEVELS[node.operator]
        left, right = self.write(node.left), self.write(node.right)
        if node.operator == "**":
            base, exponent = _inside(left, ATOM), _inside(right, SIGN)
            # As the usual formatters have it.
            simple = all(re.fullmatch(r"-?[\w.]+", part) for part in (base, exponent))
            return f"{base}**{exponent}" if simple else f"{base} ** {exponent}", POWER
        tighter = level + (node.operator in "-/")
        return f"{_inside(left, level)} {node.operator} {_inside(right, tighter)}", level

    def terms(self, node: Node, level: int) -> list[str]:
        """The operands of a chain of operators of one level, each with its sign before it."""
        if not isinstance(node, Binary) or LEVELS[node.operator] != level:
            return [_inside(self.write(node), level)]
        tighter = level + (node.operator in "-/")
        right = _inside(self.write(node.right), tighter)
        return [*self.terms(node.left, level), f"{node.operator} {right}"]

    def call(self, node: Call) -> str:
        key = _key(node)
        if key in self.names:
            return self.names[key]
        source = self.plain_call(node)
        name = CALLED[node.function]
        if node.function == "clip":
            argument = node.arguments[0]
            of_ratio = isinstance(argument, Name) and argument.name == "ratio"
            name = "clipped" if of_ratio else name
        elif key not in self.repeated:
            return source
        number = sum(other.startswith(name) for other in self.names.values())
        self.names[key] = f"{name}_{number + 1}" if number else name
        self.lines.append(Code(f"{self.names[key]} = {source}"))
        return self.names[key]

    def plain_call(self, node: Call) -> str:
        arguments = [self.write(argument) for argument in node.arguments]
        texts = [text for text, _ in arguments]
        name = node.function
        if name in ("min", "max"):
            tensors = [argument.kind is Kind.SAMPLE for argument in node.arguments]
            if all(tensors):
                return f"torch.{name}({', '.join(texts)})"
            if not any(tensors):
                return f"{name}({', '.join(texts)})"
            sample = _inside(arguments[tensors.index(True)], ATOM)
            bound = "max" if name == "min" else "min"
            return f"{sample}.clamp({bound}={texts[tensors.index(False)]})"
        first = _inside(arguments[0], ATOM)
        if node.arguments[0].kind is Kind.NUMBER:
            help = "write the number itself"
            raise FormulaError(f"`{name}` of one number", node.start, node.end, help)
        if name == "clip":
            return f"{first}.clamp({texts[1]}, {texts[2]})"
        return f"{first}.{'detach' if name == 'constant' else name}()"


def unicode_text(node: Node, *, numbers: bool = False) -> str:
    """A formula in Unicode; with `numbers`, what is known is filled in and computed."""
    return _unicode(node, numbers)[0]


def _unicode(node: Node, numbers: bool) -> tuple[str, int]:
    if isinstance(node, Number) or (numbers and node.value is not None):
        return _number(node.value or 0.0)
    if isinstance(node, Name):
        return node.symbol.text, ATOM
    if isinstance(node, Negative):
        return f"−{_inside(_unicode(node.operand, numbers), SIGN)}", SIGN
    if isinstance(node, Binary):
        level = LEVELS[node.operator]
        left, right = _unicode(node.left, numbers), _unicode(node.right, numbers)
        if node.operator == "**":
            return f"{_inside(left, ATOM)}{_superscript(right[0])}", POWER
        sign = {"*": "·", "/": "/", "+": " + ", "-": " − "}[node.operator]
        tighter = level + (node.operator in "-/")
        return f"{_inside(left, level)}{sign}{_inside(right, tighter)}", level
    if isinstance(node, Call):
        inner = ", ".join(_unicode(argument, numbers)[0] for argument in node.arguments)
        if node.function == "abs":
            return f"|{inner}|", ATOM
        name = {"sqrt": "√", "constant": "⊥"}.get(node.function, node.function)
        return f"{name}({inner})", ATOM
    raise TypeError(type(node).__name__)


def latex(node: Node) -> str:
    """A formula in LaTeX."""
    return _latex(node)[0]


def _latex(node: Node) -> tuple[str, int]:
    if isinstance(node, Number):
        return _number(node.value or 0.0)[0].replace("−", "-"), ATOM
    if isinstance(node, Name):
        return node.symbol.latex, ATOM
    if isinstance(node, Negative):
        return f"-{_inside(_latex(node.operand), SIGN, tex=True)}", SIGN
    if isinstance(node, Binary):
        level = LEVELS[node.operator]
        left, right = _latex(node.left), _latex(node.right)
        if node.operator == "/":
            return rf"\frac{{{left[0]}}}{{{right[0]}}}", ATOM
        if node.operator == "**":
            return f"{_inside(left, ATOM, tex=True)}^{{{right[0]}}}", POWER
        sign = {"*": r"\,", "+": " + ", "-": " - "}[node.operator]
        tighter = level + (node.operator == "-")
        return f"{_inside(left, level, tex=True)}{sign}{_inside(right, tighter, tex=True)}", level
    if isinstance(node, Call):
        inner = [_latex(argument)[0] for argument in node.arguments]
        if node.function == "abs":
            return rf"\left|{inner[0]}\right|", ATOM
        if node.function == "sqrt":
            return rf"\sqrt{{{inner[0]}}}", ATOM
        known = node.function in ("min", "max", "exp", "log")
        head = rf"\{node.function}" if known else rf"\operatorname{{{node.function}}}"
        return rf"{head}\left({', '.join(inner)}\right)", ATOM
    raise TypeError(type(node).__name__)


def _inside(part: tuple[str, int], level: int, *, tex: bool = False) -> str:
    """A part of a formula where at least `level` is needed, in parentheses if it binds looser."""
    text, own = part
    if own >= level:
        return text
    return rf"\left({text}\right)" if tex else f"({text})"


def _number(value: float) -> tuple[str, int]:
    text = f"{abs(value):.10g}"
    return (f"−{text}", SIGN) if value < 0 else (text, ATOM)


def _superscript(text: str) -> str:
    digits = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
    plain = all(character in "0123456789−" for character in text)
    return text.translate(digits) if plain else f"^{text}"
