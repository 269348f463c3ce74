"""Objectives as formulas: a small expression language, parsed to a typed tree and checked.

    min(ratio * A, clip(ratio, 1 - epsilon, 1 + epsilon) * A)

A formula has numbers, names, `+ - * / **`, parentheses and the functions of FUNCTIONS. Python's
parser reads it and nothing evaluates it: every node of the syntax tree is matched against the few
kinds below, and anything else is an error at its column.
"""

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from ppoc.compiler.front.source import GREEK
from ppoc.compiler.front.suggest import did_you_mean

MAX_LENGTH = 500
MAX_DEPTH = 40
USUAL = "it has numbers, names, + - * / ** and functions, such as `ratio * A`"


class Kind(Enum):
    """The kind of a part of a formula: a value for each sample, or one number for all."""

    SAMPLE = "a value for each sample"
    NUMBER = "one number"


@dataclass(frozen=True)
class Symbol:
    """A name that formulas may use."""

    kind: Kind
    learns: bool  # whether a gradient flows into the parameters being trained
    meaning: str
    text: str  # in Unicode
    latex: str
    code: str  # in the generated loss
    value: float | None = None  # of a parameter


class FormulaError(Exception):
    """A fault of a formula, and its place: columns from 0, the end exclusive."""

    def __init__(self, message: str, start: int, end: int, help: str = "") -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.help = message, start, end, help


@dataclass(frozen=True)
class Node:
    """A part of a formula, with its place in the text."""

    start: int
    end: int
    kind: Kind
    learns: bool
    value: float | None  # where it is the same number in every sample


@dataclass(frozen=True)
class Number(Node):
    """A literal."""


@dataclass(frozen=True)
class Name(Node):
    """A symbol."""

    name: str
    symbol: Symbol


@dataclass(frozen=True)
class Negative(Node):
    """−x."""

    operand: Node


@dataclass(frozen=True)
class Binary(Node):
    """x ∘ y."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Call(Node):
    """f(x, …)."""

    function: str
    arguments: tuple[Node, ...]


# Function → what its arguments are called, and its value at numbers.
FUNCTIONS: dict[str, tuple[tuple[str, ...], Callable[..., float]]] = {
    "min": (("x", "y"), min),
    "max": (("x", "y"), max),
    "clip": (("x", "low", "high"), lambda x, low, high: min(max(x, low), high)),
    "exp": (("x",), math.exp),
    "log": (("x",), math.log),
    "sqrt": (("x",), math.sqrt),
    "abs": (("x",), abs),
    "constant": (("x",), lambda x: x),
}
OPERATORS: dict[type[ast.operator], tuple[str, Callable[[float, float], float]]] = {
    ast.Add: ("+", lambda x, y: x + y),
    ast.Sub: ("-", lambda x, y: x - y),
    ast.Mult: ("*", lambda x, y: x * y),
    ast.Div: ("/", lambda x, y: x / y),
    ast.Pow: ("**", lambda x, y: float(x**y)),
}


def parse(text: str, symbols: Mapping[str, Symbol]) -> Node:
    """The tree of a formula whose names are those of `symbols`.

    Raises:
        FormulaError: the text is not a formula, or a part of it makes no sense.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"a formula has at most {MAX_LENGTH} characters", 0, len(text))
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        start = min((error.offset or 1) - 1, max(len(text) - 1, 0))
        raise FormulaError("this is not a formula", start, start + 1, USUAL) from None
    except (ValueError, MemoryError, RecursionError):
        raise FormulaError("not a formula", 0, max(1, len(text)), USUAL) from None
    shift = len(text) - len(text.lstrip())
    # Python counts columns in bytes; a formula may have letters of more than one.
    columns = [len(text.strip().encode()[:n].decode(errors="ignore")) for n in _bytes(text.strip())]
    return _Parser(symbols, shift, columns).node(tree.body, 0)


def _bytes(text: str) -> range:
    return range(len(text.encode()) + 1)


@dataclass(frozen=True)
class _Parser:
    symbols: Mapping[str, Symbol]
    shift: int
    columns: list[int]

    MEANT: ClassVar[dict[str, str]] = {"BitXor": "write `**` for a power"}

    def place(self, raw: ast.expr) -> tuple[int, int]:
        start = self.columns[raw.col_offset]
        end = self.columns[raw.end_col_offset or raw.col_offset]
        return self.shift + start, self.shift + max(end, start + 1)

    def node(self, raw: ast.expr, depth: int) -> Node:
        start, end = self.place(raw)
        if depth > MAX_DEPTH:
            raise FormulaError(f"more than {MAX_DEPTH} levels", start, end)
        if isinstance(raw, ast.Constant):
            return self.number(raw, start, end)
        if isinstance(raw, ast.Name):
            return self.name(raw, start, end)
        if isinstance(raw, ast.UnaryOp) and isinstance(raw.op, ast.USub):
            operand = self.node(raw.operand, depth + 1)
            value = None if operand.value is None else -operand.value
            return Negative(start, end, operand.kind, operand.learns, value, operand)
        if isinstance(raw, ast.BinOp) and type(raw.op) in OPERATORS:
            return self.binary(raw, start, end, depth)
        if isinstance(raw, ast.Call) and isinstance(raw.func, ast.Name):
            return self.call(raw, start, end, depth)
        operator = type(getattr(raw, "op", raw)).__name__
        help = self.MEANT.get(operator, f"it has + - * / **, and {', '.join(FUNCTIONS)}")
        raise FormulaError("a formula cannot have this", start, end, help)

    def number(self, raw: ast.Constant, start: int, end: int) -> Node:
        value = raw.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FormulaError("a formula has only numbers, names and functions", start, end)
        if not abs(value) < 1e30:
            raise FormulaError("the number is too large", start, end)
        return Number(start, end, Kind.NUMBER, False, float(value))

    def name(self, raw: ast.Name, start: int, end: int) -> Node:
        symbol = self.symbols.get(GREEK.get(raw.id, raw.id))
        if symbol is None:
            help = did_you_mean(raw.id, self.symbols) or f"the names are {', '.join(self.symbols)}"
            if raw.id in FUNCTIONS:
                help = f"`{raw.id}` is a function: write {_usage(raw.id)}"
            raise FormulaError(f"unknown name `{raw.id}`", start, end, help)
        return Name(
            start, end, symbol.kind, symbol.learns, symbol.value, GREEK.get(raw.id, raw.id), symbol
        )

    def binary(self, raw: ast.BinOp, start: int, end: int, depth: int) -> Node:
        left, right = self.node(raw.left, depth + 1), self.node(raw.right, depth + 1)
        sign, function = OPERATORS[type(raw.op)]
        if sign == "**" and right.value is None:
            help = "such as `x**2`"
            raise FormulaError("an exponent must be a number", right.start, right.end, help)
        value = _evaluate(function, (left, right), start, end)
        if sign == "/" and right.value == 0:
            raise FormulaError("division by zero", right.start, right.end)
        learns = left.learns or right.learns
        return Binary(start, end, _joined(left, right), learns, value, sign, left, right)

    def call(self, raw: ast.Call, start: int, end: int, depth: int) -> Node:
        assert isinstance(raw.func, ast.Name)
        name = raw.func.id
        if name not in FUNCTIONS:
            place = self.place(raw.func)
            help = did_you_mean(name, FUNCTIONS) or f"the functions are {', '.join(FUNCTIONS)}"
            raise FormulaError(f"unknown function `{name}`", *place, help)
        parameters, function = FUNCTIONS[name]
        if raw.keywords or len(raw.args) != len(parameters):
            message = f"`{name}` takes {len(parameters)} arguments, not {len(raw.args)}"
            raise FormulaError(message, start, end, f"write {_usage(name)}")
        arguments = tuple(self.node(item, depth + 1) for item in raw.args)
        if name == "clip":
            _check_bounds(arguments[1], arguments[2])
        value = _evaluate(function, arguments, start, end)
        learns = name != "constant" and any(argument.learns for argument in arguments)
        return Call(start, end, _joined(*arguments), learns, value, name, arguments)


def _check_bounds(low: Node, high: Node) -> None:
    if low.kind is not Kind.NUMBER or high.kind is not Kind.NUMBER:
        wrong = low if low.kind is not Kind.NUMBER else high
        raise FormulaError("a bound of clip must be one number", wrong.start, wrong.end)
    if low.value is not None and high.value is not None and low.value > high.value:
        message = f"clip's bounds are the wrong way round: {low.value:g} > {high.value:g}"
        raise FormulaError(message, low.start, high.end)


def _evaluate(
    function: Callable[..., float], operands: tuple[Node, ...], start: int, end: int
) -> float | None:
    values = [operand.value for operand in operands]
    if any(value is None for value in values):
        return None
    try:
        value = float(function(*values))
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        value = math.nan
    if not math.isfinite(value):
        raise FormulaError("this has no finite value", start, end)
    return value


def _joined(*nodes: Node) -> Kind:
    return Kind.SAMPLE if any(node.kind is Kind.SAMPLE for node in nodes) else Kind.NUMBER


def _usage(name: str) -> str:
    return f"`{name}({', '.join(FUNCTIONS[name][0])})`"


def children(node: Node) -> tuple[Node, ...]:
    """The parts that a node is made of."""
    if isinstance(node, Negative):
        return (node.operand,)
    if isinstance(node, Binary):
        return node.left, node.right
    return node.arguments if isinstance(node, Call) else ()
