"""A generated module that runs without ppoc: the parts of the runtime it uses are in its file.

What it uses is found in the syntax tree: from the names of `ppoc.runtime` in the module to what
those definitions name in turn. A method that no used code has the name of is left out, and so is a
branch that a constant argument rules out, such as the backends that the module does not ask for.
Texts are copied, not printed anew, so comments stay; a name that two files have gets its file's in
front.
"""

import ast
import builtins
import functools
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ppoc.compiler.emission.imports import sorted_imports
from ppoc.compiler.output.manifest import EJECTED
from ppoc.exporting.scopes import Names, names_of
from ppoc.exporting.source import EjectError, Item, SourceFile, path_of

WIDTH = 100
# Bases whose methods only our own code calls.
PLAIN_BASES = {"NamedTuple", "Protocol", "Exception", "RuntimeError", "ValueError"}

Place = ast.Name | ast.Attribute | None

__all__ = ["EjectError", "eject"]


def eject(text: str) -> str:
    """The text of a module that needs no ppoc, from that of a generated one.

    Raises:
        EjectError: it is no generated module, or a name in it cannot be resolved.
    """
    try:
        ejection = _Ejection(text)
    except SyntaxError as error:
        raise EjectError(f"the module is not Python: {error}") from error
    result = ejection.text()
    _check(result)
    return result


class _Ejection:
    """One ejection: what is used of the runtime, and what it is called in the end."""

    def __init__(self, text: str) -> None:
        self.module = SourceFile("module", text, {})
        if self.module.imports.pop("runtime", "") != "from ppoc import runtime":
            raise EjectError("the module does not import ppoc.runtime: is it ejected already?")
        self.files: dict[str, SourceFile] = {}
        self.constants: dict[Item, dict[str, str]] = {}
        runtime = self._file("runtime.__init__")
        self.exports = runtime.runtime_names
        for name, called in self.module.exported_files.items():
            if called not in runtime.runtime_files:
                raise EjectError(f"ppoc.runtime has no {called}")
            self.module.runtime_files[name] = runtime.runtime_files[called]
        self.module_uses = list(self._module_references())
        self._note_constants()
        self.files.clear()  # to be read again, without the branches that those rule out
        self.used: set[Item] = set()
        self.attributes = self._attribute_names(self.module, names_of(self.module.tree))
        self._find_used()
        self.final = self._final_names()

    def _file(self, name: str) -> SourceFile:
        if name not in self.files:
            constants = {i[1]: values for i, values in self.constants.items() if i[0] == name}
            folded = [(key, tuple(values.items())) for key, values in constants.items()]
            self.files[name] = _read(name, tuple(folded))
        return self.files[name]

    def _module_references(self) -> Iterator[tuple[Item, ast.Name | ast.Attribute]]:
        """The runtime's definitions that the module names, and where."""
        for node in names_of(self.module.tree).attributes:
            owner = node.value
            if not isinstance(owner, ast.Name):
                continue
            if owner.id in self.module.runtime_files:
                yield self._home(self.module.runtime_files[owner.id], node.attr), node
            elif owner.id == "runtime":
                if node.attr not in self.exports:
                    raise EjectError(f"ppoc.runtime has no {node.attr}")
                yield self.exports[node.attr], node

    def _note_constants(self) -> None:
        """The texts that the module gives, always the same, as named arguments to the runtime."""
        found: dict[tuple[Item, str], set[str | None]] = {}
        uses = {id(node): item for item, node in self.module_uses}
        for call in ast.walk(self.module.tree):
            if isinstance(call, ast.Call) and id(call.func) in uses:
                for keyword in call.keywords:
                    value = getattr(keyword.value, "value", None)
                    value = value if isinstance(value, str) else None
                    found.setdefault((uses[id(call.func)], str(keyword.arg)), set()).add(value)
        for (item, argument), values in found.items():
            (value, *others) = values
            if value is not None and not others:
                self.constants.setdefault(item, {})[argument] = value

    def _find_used(self) -> None:
        """Find what the module needs, to a fixed point: a name more may wake a method more."""
        roots = [item for item, _ in self.module_uses]
        before: tuple[int, int] | None = None
        while before != (len(self.used), len(self.attributes)):
            before = len(self.used), len(self.attributes)
            seen: set[Item] = set()
            queue = list(roots)
            while queue:
                item = queue.pop()
                if item not in seen:
                    seen.add(item)
                    queue += [target for target, _ in self._references(item)]
            self.used = seen

    def _home(self, file: str, name: str) -> Item:
        """Where a name of a file is defined, which may have it from another."""
        read = self._file(file)
        if name in read.definitions or name not in read.runtime_names:
            return file, name
        return self._home(*read.runtime_names[name])

    def _definition(self, item: Item) -> ast.stmt:
        found = self._file(item[0]).definitions.get(item[1])
        if found is None:
            raise EjectError(f"ppoc.{item[0]} does not define {item[1]}")
        return found

    def _references(self, item: Item) -> Iterator[tuple[Item, Place]]:
        """The runtime's definitions that one names, and where; None where only a text names it."""
        file, node = self._file(item[0]), self._definition(item)
        dead = {id(part) for part in self._dead(item)}
        living = node.body if isinstance(node, ast.ClassDef) else [node]
        parts: list[ast.AST] = [part for part in living if id(part) not in dead]
        if isinstance(node, ast.ClassDef):
            parts += [*node.bases, *node.keywords, *node.decorator_list]
        for part in parts:
            names = names_of(part)
            self.attributes |= self._attribute_names(file, names)
            for attribute in names.attributes:
                owner = attribute.value
                if isinstance(owner, ast.Name) and owner.id in file.runtime_files:
                    yield self._home(file.runtime_files[owner.id], attribute.attr), attribute
            if any(name.id == "globals" for name in names.used):
                yield from ((item, None) for item in self._named_in_text(file))
            for name in names.used:
                if name.id in file.runtime_names:
                    yield file.runtime_names[name.id], name
                elif name.id in file.definitions:
                    yield (file.name, name.id), name

    def _named_in_text(self, file: SourceFile) -> Iterator[Item]:
        """Definitions that the module names in texts, such as wrappers, looked up as globals."""
        for node in ast.walk(self.module.tree):
            if isinstance(node, ast.Constant) and node.value in file.definitions:
                yield file.name, node.value

    def _attribute_names(self, file: SourceFile, names: Names) -> set[str]:
        """Names after a dot, but those of imported modules, such as compile in re.compile."""
        return {
            node.attr
            for node in names.attributes
            if not (isinstance(node.value, ast.Name) and node.value.id in file.imports)
        }

    def _dead(self, item: Item) -> list[ast.FunctionDef]:
        """Methods of a class that nothing used has the name of."""
        node = self._definition(item)
        if not isinstance(node, ast.ClassDef):
            return []
        known = {*self._file(item[0]).definitions, *PLAIN_BASES}
        if any(not isinstance(base, ast.Name) or base.id not in known for base in node.bases):
            return []
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
        return [m for m in methods if not m.name.startswith("__") and m.name not in self.attributes]

    def _final_names(self) -> dict[Item, str]:
        """The final name of each definition: its own, where nothing else is called that."""
        names = names_of(self.module.tree)
        taken = {*names.bound, *self.module.definitions, *self.module.imports, *dir(builtins)}
        for item in self.used:
            taken |= names_of(self._definition(item)).bound
            taken |= set(self._file(item[0]).imports)
        counts = Counter(name for _, name in self.used)
        fixed = {
            target for item in self.used for target, place in self._references(item) if not place
        }
        final = {}
        for file, name in self.used:
            clash = counts[name] > 1 or name in taken
            if clash and (file, name) in fixed:
                raise EjectError(f"the name {name}, which a text has, is not free")
            final[file, name] = _with_file(file, name) if clash else name
        return final

    # The text

    def text(self) -> str:
        """The whole file: docstring, imports, the runtime's parts, the module's own."""
        own = self._own_text()
        end = self.module.tree.body[0].end_lineno or 1  # of the docstring
        docstring, own = own[:end], self._without_imports(own)
        docstring[-1] = docstring[-1].removesuffix('"""')
        files = {name: list(self._file_text(name)) for name in self._order()}
        parts = [text for texts in files.values() for text in texts]
        return "\n".join(
            [
                *docstring,
                *textwrap.wrap(EJECTED, WIDTH),
                '"""',
                "",
                *self._imports(files),
                *parts,
                *own[end:],
            ]
        )

    def _own_text(self) -> list[str]:
        edits = [(node, self.final[item]) for item, node in self.module_uses]
        return _edited(self.module.lines, edits)

    def _without_imports(self, lines: list[str]) -> list[str]:
        for statement in self.module.tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for number in range(statement.lineno - 1, statement.end_lineno or 0):
                    lines[number] = ""
        text = re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines))
        end = (self.module.tree.body[0].end_lineno or 1) - 1
        head = "\n".join(lines[: end + 1])
        return [*head.split("\n"), *text[len(head) :].split("\n")[1:]]

    def _order(self) -> list[str]:
        """The used files, each after those that it imports."""
        order: list[str] = []

        def visit(name: str) -> None:
            if name not in order and name not in visiting:
                visiting.add(name)
                for other in sorted(self._file(name).before):
                    visit(other)
                order.append(name)

        visiting: set[str] = set()
        used = {file for file, _ in self.used}
        for name in sorted(used):
            visit(name)
        return [name for name in order if name in used]

    def _file_text(self, name: str) -> Iterator[str]:
        """A heading, and the used definitions of a file."""
        file = self._file(name)
        heading = f"# ── ppoc.{name} "
        yield f"\n\n{heading}{'─' * (WIDTH - len(heading))}"
        after = "\n"
        for own, node in file.definitions.items():
            if (name, own) in self.used:
                gap = "\n\n" if isinstance(node, ast.FunctionDef | ast.ClassDef) else ""
                yield (gap or after) + "\n".join(self._definition_lines((name, own)))
                after = gap

    def _definition_lines(self, item: Item) -> list[str]:
        file, node = self._file(item[0]), self._definition(item)
        places = [(place, self.final[target]) for target, place in self._references(item)]
        edits = [(place, name) for place, name in places if place is not None]
        lines = _edited(file.lines, edits)
        number = node.lineno - 1
        lines[number] = re.sub(
            rf"^(def |class )?{re.escape(item[1])}\b", rf"\g<1>{self.final[item]}", lines[number]
        )
        removed = {n for method in self._dead(item) for n in _extent(file.lines, method)}
        if isinstance(node, ast.ClassDef):  # which its methods name in quotes
            quoted = re.compile(rf'(-> |: )"{re.escape(item[1])}"')
            lines = [quoted.sub(rf'\1"{self.final[item]}"', line) for line in lines]
        kept = [lines[n] for n in _extent(file.lines, node) if n not in removed]
        return re.sub(r"\n\n\n+", "\n\n", "\n".join(kept).rstrip()).split("\n")

    def _imports(self, files: Mapping[str, Sequence[str]]) -> list[str]:
        """Import statements for all names that the file uses, standard library first.

        Args:
            files: file of the runtime → the texts that are taken from it.
        """
        needed = dict(self.module.imports)
        typing: set[str] = set()
        for name, parts in files.items():
            file = self._file(name)
            here = [self._definition(item) for item in self.used if item[0] == name]
            texts = "\n".join(parts)
            used = {n.id for node in here for n in names_of(node).used}
            for bound, statement in file.imports.items():
                if bound not in used or not re.search(rf"\b{re.escape(bound)}\b", texts):
                    continue
                if needed.setdefault(bound, statement) != statement:
                    raise EjectError(f"two files of the runtime import different {bound}")
            for bound, statement in file.typing_imports.items():
                if re.search(rf"\b{re.escape(bound)}\b", texts):
                    typing.add(statement)
        if typing:
            needed["TYPE_CHECKING"] = "from typing import TYPE_CHECKING"
        else:
            needed.pop("TYPE_CHECKING", None)
        lines = sorted_imports(set(needed.values()))
        if typing:
            sorted_typing = [line for line in sorted_imports(typing) if line]
            lines += ["", "if TYPE_CHECKING:", *(f"    {line}" for line in sorted_typing)]
        return lines


@functools.lru_cache(maxsize=256)
def _read(name: str, constants: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> SourceFile:
    """A file of the runtime without the branches that constant arguments of functions rule out."""
    path = path_of(name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise EjectError(f"cannot read {path}: {error.strerror}") from error
    return SourceFile(name, text, {function: dict(values) for function, values in constants})


def _with_file(file: str, name: str) -> str:
    """A name with its file's in front, spelt as names of its kind are."""
    file = file.rpartition(".")[2]
    private, plain = "_" if name.startswith("_") else "", name.lstrip("_")
    if plain.isupper():
        return f"{private}{file.upper()}_{plain}"
    if plain[0].isupper():
        return f"{private}{file.title().replace('_', '')}{plain}"
    return f"{private}{file}_{plain}"


def _edited(lines: list[str], edits: Sequence[tuple[ast.Name | ast.Attribute, str]]) -> list[str]:
    """Lines with expressions replaced; columns of a syntax tree count bytes."""
    edited = list(lines)
    places = {(n.lineno, n.col_offset, n.end_col_offset or 0, text): n for n, text in edits}
    for (line, start, end, text), node in sorted(places.items(), key=lambda x: x[0], reverse=True):
        raw = edited[line - 1].encode()
        if raw[start:end].decode() != ast.unparse(node):
            raise EjectError(f"cannot place {ast.unparse(node)} in: {edited[line - 1].strip()}")
        edited[line - 1] = (raw[:start] + text.encode() + raw[end:]).decode()
    return edited


def _extent(lines: list[str], node: ast.stmt) -> range:
    """The lines of a definition, from 0, with its decorators and the comments right above."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(d.lineno for d in decorators)]) - 1
    indent = " " * node.col_offset
    while first > 0 and lines[first - 1].startswith(f"{indent}#"):
        first -= 1
    return range(first, node.end_lineno or node.lineno)


def _check(text: str) -> None:
    """Every name of the file is defined in it, and none of ppoc is imported.

    Raises:
        EjectError: one is not: a mistake of this file.
    """
    tree = ast.parse(text)
    known = set(dir(builtins)) | {"__file__", "__name__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or node.names[0].name
            if f"{module}.".startswith("ppoc."):
                raise EjectError(f"line {node.lineno} still imports {module}")
            known |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    for statement in tree.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                known.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                known.add(node.id)
    unknown = {name.id for name in names_of(tree).used if name.id not in known}
    if unknown:
        raise EjectError(f"nothing defines {', '.join(sorted(unknown))}")
