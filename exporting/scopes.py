"""Names in a piece of Python: the global ones, and those its functions bind for themselves."""

import ast
from collections.abc import Iterator
from typing import NamedTuple
from weakref import WeakKeyDictionary


class Names(NamedTuple):
    """The names in a statement of a module."""

    used: list[ast.Name]  # that are looked up in the module
    bound: set[str]  # in functions and comprehensions within
    attributes: list[ast.Attribute]  # outermost last


# An ejection asks for the same statement's names five times, and half of its time went there.
_FOUND: WeakKeyDictionary[ast.AST, Names] = WeakKeyDictionary()


def names_of(statement: ast.AST) -> Names:
    """The names in a statement at the top of a module, which is not changed afterwards."""
    if statement not in _FOUND:
        visitor = _Visitor()
        visitor.visit(statement)
        _FOUND[statement] = Names(visitor.used, visitor.bound, visitor.attributes)
    return _FOUND[statement]


class _Visitor(ast.NodeVisitor):
    """Python's scopes: a function sees the functions around it, but no class around it."""

    def __init__(self) -> None:
        self.used: list[ast.Name] = []
        self.bound: set[str] = set()
        self.attributes: list[ast.Attribute] = []
        self._functions: list[set[str]] = []
        self._class: set[str] | None = None

    def visit_Name(self, node: ast.Name) -> None:
        hidden = [*self._functions, self._class or set()]
        if not any(node.id in scope for scope in hidden):
            self.used.append(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        self.attributes.append(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = node.args
        annotations = [a.annotation for a in _arguments(arguments) if a.annotation]
        outside = [*node.decorator_list, *arguments.defaults, *arguments.kw_defaults, *annotations]
        for part in (*outside, node.returns):
            if part is not None:
                self.visit(part)
        self._function(arguments, node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._function(node.args, [node.body])

    def _function(self, arguments: ast.arguments, body: list[ast.stmt] | list[ast.expr]) -> None:
        own = {argument.arg for argument in _arguments(arguments)}
        outer: set[str] = set()
        for statement in body:
            for node in _within(statement):
                own |= _binds(node)
                if isinstance(node, ast.Global | ast.Nonlocal):
                    outer |= set(node.names)
        own -= outer
        self.bound |= own
        around, self._class = self._class, None
        self._functions.append(own)
        for statement in body:
            self.visit(statement)
        self._functions.pop()
        self._class = around

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        around = self._class
        self._class = {name for s in node.body for n in _within(s) for name in _binds(n)}
        for statement in node.body:
            self.visit(statement)
        self._class = around

    def _comprehension(self, node: ast.expr) -> None:
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        own = {n.id for g in generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        self.bound |= own
        self._functions.append(own)
        self.generic_visit(node)
        self._functions.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815
    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment] # noqa: N815


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    several = [arguments.vararg, arguments.kwarg]
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*plain, *(argument for argument in several if argument)]


def _within(node: ast.AST) -> Iterator[ast.AST]:
    """A node and those below it that are in the same scope."""
    yield node
    inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    if isinstance(node, inner):
        return
    comprehension = isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
    for child in ast.iter_child_nodes(node):
        if comprehension:  # only `:=` reaches out of one
            yield from (n.target for n in ast.walk(child) if isinstance(n, ast.NamedExpr))
        else:
            yield from _within(child)


def _binds(node: ast.AST) -> set[str]:
    """The names that a single node binds in its scope."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {alias.asname or alias.name.partition(".")[0] for alias in aliases}
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return {name}
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return {name}
    return set()
