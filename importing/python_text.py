"""Python that stands in a text, such as `dict(net_arch=[64, 64])`: read, never run.

RL Zoo's files hold such texts and evaluate them. Here only literals, `dict(...)` of them and dotted
names pass, and a name stays a text.
"""

import ast
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.node import Node

MAX_LENGTH = 10_000


def parse(node: Node, what: str) -> Node:
    """The value that the text of a node says, with the place of the text throughout.

    Raises:
        SpecError: E902, it is not of the Python that passes.
    """
    help = "write literals, lists, `dict(key=value)` and names such as nn.ReLU only"
    try:
        text = str(node.value)
        if len(text) > MAX_LENGTH:
            raise _Refused(f"it has more than {MAX_LENGTH:,} characters")
        return _node(ast.parse(text.strip(), mode="eval").body, node)
    except (_Refused, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        message = f"`{what}` is not a text that can be read: {reason}"
        raise SpecError([Diagnostic("E902", message, node.span, help=help)]) from None


class _Refused(Exception):  # noqa: N818 - private, and told as a diagnostic
    """Python that is not read; the text says which."""


def _node(tree: ast.expr, at: Node) -> Node:
    return Node(_value(tree, at), at.span, at.key_span)


def _value(tree: ast.expr, at: Node) -> Any:
    match tree:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Name() | ast.Attribute():
            return _dotted(tree)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_node(item, at) for item in items]
        case ast.Dict(keys=keys, values=values) if all(_is_text(key) for key in keys):
            pairs = zip(keys, values, strict=True)
            return {key.value: _node(value, at) for key, value in pairs}  # type: ignore[union-attr]
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            if all(keyword.arg for keyword in keywords):
                return {str(k.arg): _node(k.value, at) for k in keywords}
    raise _Refused(f"`{ast.unparse(tree)[:60]}` would have to be run")


def _dotted(tree: ast.expr) -> str:
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Attribute):
        return f"{_dotted(tree.value)}.{tree.attr}"
    raise _Refused(f"`{ast.unparse(tree)[:60]}` would have to be run")


def _is_text(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str)
