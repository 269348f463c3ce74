"""Files of the runtime as definitions that can be copied one by one."""

import ast
import textwrap
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("ppoc.runtime", "ppoc.formats")  # the runtime, and what it stands on

Item = tuple[str, str]  # file of the runtime as `runtime.files`, name in it


class EjectError(Exception):
    """A module that cannot be ejected; the text says why."""


def path_of(name: str) -> Path:
    """Where a file of the runtime lies, such as `runtime.files`."""
    package, _, file = name.partition(".")
    spec = find_spec(f"ppoc.{package}")
    if spec is None or not spec.submodule_search_locations:
        raise EjectError(f"ppoc.{package} is not installed")
    folder = Path(next(iter(spec.submodule_search_locations)))
    return folder.joinpath(*file.split(".")).with_suffix(".py")


class SourceFile:
    """A file's top-level definitions, and what each other name at its top stands for.

    Attributes:
        imports: name → the statement that binds it, for what is not of the runtime.
        typing_imports: likewise, of those for type checkers only.
        runtime_names: name → the runtime's definition that it stands for.
        runtime_files: name → the file of the runtime that it stands for.
        exported_files: name → what the runtime itself calls a file of its rooms.
        before: files that are imported when this one is.
    """

    def __init__(self, name: str, text: str, constants: Mapping[str, Mapping[str, str]]) -> None:
        self.name = name
        self.imports: dict[str, str] = {}
        self.typing_imports: dict[str, str] = {}
        self.runtime_names: dict[str, Item] = {}
        self.runtime_files: dict[str, str] = {}
        self.exported_files: dict[str, str] = {}
        self.definitions: dict[str, ast.stmt] = {}
        for statement in ast.parse(text).body:
            self._read(statement)
        self.before = {*self.runtime_files.values(), *(i[0] for i in self.runtime_names.values())}
        for function, values in constants.items():
            text = fold(text, function, values)
        self.lines = hoist(text).split("\n")
        self.definitions.clear()
        self.tree = ast.parse("\n".join(self.lines))
        for statement in self.tree.body:
            self._read(statement)

    def _read(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                self.definitions[name] = statement
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                self.definitions[name] = statement
            case ast.Import() | ast.ImportFrom():
                self._import(statement, self.imports)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body):
                for inner in body:
                    if isinstance(inner, ast.Import | ast.ImportFrom):
                        self._import(inner, self.typing_imports)

    def _import(self, statement: ast.Import | ast.ImportFrom, into: dict[str, str]) -> None:
        module = getattr(statement, "module", None)
        for alias in statement.names:
            name = alias.asname or alias.name.partition(".")[0]
            inner = str(module).removeprefix("ppoc.")
            if of_runtime(module) and path_of(f"{inner}.{alias.name}").is_file():
                self.runtime_files[name] = f"{inner}.{alias.name}"
            elif module in PACKAGES:
                self.exported_files[name] = alias.name
            elif of_runtime(module):
                self.runtime_names[name] = (inner, alias.name)
            else:
                tail = f" as {alias.asname}" if alias.asname else ""
                into[name] = f"{f'from {module} ' if module else ''}import {alias.name}{tail}"


def hoist(text: str) -> str:
    """The text with the functions' own imports from the runtime moved to its end."""
    lines = text.split("\n")
    moved = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.col_offset and of_runtime(node.module):
            moved.append(ast.unparse(node))
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = ""
    return "\n".join([*lines, *moved])


def of_runtime(module: str | None) -> bool:
    """Whether a module, by its whole name, is of the runtime or of what that stands on."""
    return f"{module}.".startswith(tuple(f"{package}." for package in PACKAGES))


def fold(text: str, function: str, values: Mapping[str, str]) -> str:
    """The text with those branches of a function that constant arguments choose, and no others."""
    while True:
        found = next(_decided(ast.parse(text), function, values), None)
        if found is None:
            return text
        chain, body = found
        lines = text.split("\n")
        kept: list[str] = []
        if body:
            first, last = body[0].lineno - 1, body[-1].end_lineno
            block = textwrap.dedent("\n".join(lines[first:last]))
            kept = textwrap.indent(block, " " * chain.col_offset).split("\n")
        lines[chain.lineno - 1 : chain.end_lineno] = kept
        text = "\n".join(lines)


def _decided(
    tree: ast.Module, function: str, values: Mapping[str, str]
) -> Iterator[tuple[ast.If, list[ast.stmt]]]:
    """Chains of `if name == "text"` that the values decide, and the branch that they choose."""
    for definition in tree.body:
        if isinstance(definition, ast.FunctionDef) and definition.name == function:
            for node in ast.walk(definition):
                chosen = _chosen(node, values) if isinstance(node, ast.If) else None
                if isinstance(node, ast.If) and chosen is not None:
                    yield node, chosen


def _chosen(node: ast.If, values: Mapping[str, str]) -> list[ast.stmt] | None:
    """The branch of a chain; None where the values do not decide it."""
    outcome = _test(node, values)
    if outcome is None or outcome:
        return node.body if outcome else None
    if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        return _chosen(node.orelse[0], values)
    return node.orelse


def _test(node: ast.If, values: Mapping[str, str]) -> bool | None:
    match node.test:
        case ast.Compare(
            left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=value)]
        ) if name in values:
            return bool(values[name] == value)
    return None
