"""Whatever is done to a spec, the outcome is diagnostics or a module that imports.

`pytest -m slow tests/compiler/test_fuzz.py` tries tens of thousands, and writes what came of them
to benchmarks/results/fuzz.md.
"""

import ast
import functools
import json
import platform
import random
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.batch import Report, check
from ppoc.compiler.front.diagnostics import SpecError, render
from ppoc.compiler.front.source import parse
from ppoc.compiler.front.values import model_of
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.pages import pages
from ppoc.compiler.resolve import resolve_text

ROOT = Path(__file__).parents[2]
OTHERS = ("presets", "rlhf", "experiments")
ZOO = {p.name: p for p in sorted((ROOT / "specs").glob("*/*.yaml")) if p.parent.name not in OTHERS}
DOCUMENTS = [parse(path.read_text(encoding="utf-8"), path.name).plain() for path in ZOO.values()]
FEW, MANY = 150, 5_000
FOLDER = tempfile.TemporaryDirectory(prefix="ppoc-test-")  # removed when the tests are over
PATH = Path(FOLDER.name) / "spec.yaml"

# Texts that a careless, a curious and a hostile author write in place of a value.
FRAGMENTS = [
    *("", "~", "yes", "1e6", "1_000", "0x10", "007", ".nan", "-.inf", "1e999", "-1", "0", "1e-999"),
    *("9" * 40, "[]", "{}", "[[8]]", "{a: 1}", "[1, {b: 2}]", "''", '"\\ud800"', "!!int '3'"),
    *("!!python/object/apply:os.system [x]", "!mine x", "&a 1", "*a", "{<<: {a: 1}}", "{<<: 1}"),
    *("{a: 1, a: 2}", "{? [1] : 2}", "2026-01-01", "1:30", "\t", "|\n  x", "'", "{", "]", "# x"),
    *("gae", "CartPole-v1", "Nope-v0", "a:b-v0", "Blackjack-v1", "ratio * A", "rato", "1 / 0"),
]
HOSTILE = [
    "__import__('os').system('true')",
    '"""\nimport os\n"""',
    "'''",
    "x\nimport os",
    "x\r\nimport os",
    "x\u2028import os",
    "x\x0cimport os",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}{# #}",
    "x'); evil(",
    'x"); evil(',
    "\\",
    "\\N{BULLET}",
    "\\x22 + evil() + \\x22",
    "# type: ignore",
    "${evil}",
    "%s%n",
    "..",
    "../../evil",
    "evil:evil",
    "lambda: evil",
    "é\u202e\u0000",
    "_" * 64,
    "A.__class__.__mro__",
    "exec",
    "ratio if A else evil",
    "(evil := ratio)",
]


def fields(model: type[BaseModel] = AgentSpec, above: tuple[str, ...] = ()):
    """Every path of the language with its type."""
    for name, info in model.model_fields.items():
        path = (*above, info.alias or name)
        yield path, info.annotation
        section = model_of(info.annotation)
        if section is not None:
            yield from fields(section, path)


FIELDS = dict(fields())


def plausible(annotation: Any, rng: random.Random) -> Any:
    """A value of a type of the language, perhaps out of its range."""
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return rng.choice(parts)
    if origin is list:
        return [plausible(parts[0], rng) for _ in range(rng.randrange(4))]
    if origin is dict:
        return {f"k{n}": plausible(parts[1], rng) for n in range(rng.randrange(3))}
    if parts:
        return plausible(rng.choice(parts), rng)
    if annotation is type(None):
        return None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [(path[0], kind) for path, kind in fields(annotation) if len(path) == 1]
        chosen = rng.sample(inner, rng.randrange(min(3, len(inner)) + 1))
        return {key: plausible(kind, rng) for key, kind in chosen}
    values = {
        bool: (True, False),
        int: (0, 1, 2, 3, 8, 64, 128, 2048, 10**9, 2**31),
        float: (0, 0.0, 1e-8, 3e-4, 0.2, 0.5, 0.95, 1, 10.0, 1e30),
        str: ("CartPole-v1", "Pendulum-v1", "clip", "ratio * A", "(V - R) ** 2", "x", *HOSTILE),
    }
    return rng.choice(values[annotation])


def flow(value: Any) -> str:
    """YAML of a value on one line; fragments stand as they are."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return value.text if isinstance(value, Fragment) else json.dumps(value)


class Fragment:
    """A piece of YAML text that need not be a value."""

    def __init__(self, text: str) -> None:
        self.text = text


def place(root: dict, path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        inner = root.get(step)
        root[step] = dict(inner) if isinstance(inner, dict) else {}
        root = root[step]
    root[path[-1]] = value


def mutate(root: dict, rng: random.Random) -> None:
    """One edit: another value, nonsense, a key more or less, or one misspelt."""
    path = rng.choice(list(FIELDS))
    kind = rng.random()
    if kind < 0.6:
        place(root, path, plausible(FIELDS[path], rng))
    elif kind < 0.75:
        place(root, path, Fragment(rng.choice(FRAGMENTS)))
    elif kind < 0.85:
        place(root, (*path[:-1], rng.choice([path[-1][:-1], path[-1] * 2, "", "ε", "x"])), 1)
    else:
        inside = root
        for step in path[:-1]:
            inside = inside.get(step) if isinstance(inside, dict) else None
        if isinstance(inside, dict):
            inside.pop(path[-1], None)


def specification(seed: int) -> str:
    """A spec of the zoo after one to four edits, a few of them of its text."""
    rng = random.Random(seed)
    root = json.loads(json.dumps(rng.choice(DOCUMENTS)))
    for _ in range(rng.randint(1, 4)):
        mutate(root, rng)
    text = "\n".join(f"{json.dumps(key)}: {flow(value)}" for key, value in root.items()) + "\n"
    while rng.random() < 0.1:
        start = rng.randrange(len(text) + 1)
        text = text[:start] + rng.choice(FRAGMENTS) + text[start + rng.randrange(8) :]
    return text


@functools.lru_cache(maxsize=5000)
def importable(module: str) -> bool:
    """Whether a module's text runs as an import does."""
    scope = {"__name__": "fuzzed"}
    exec(compile(module, "fuzzed.py", "exec"), scope)
    return callable(scope["train"])


def outcome(text: str) -> str:
    """`module`, or the first code of what is told; anything else is an exception."""
    try:
        resolved = resolve_text(text, str(PATH))
    except SpecError as error:
        PATH.write_text(text, encoding="utf-8")
        seldom = len(text) % 8 == 0  # to make the environment takes longer than all the rest
        return told(error, check(PATH, probe=seldom))
    try:
        module = compile_spec(resolved).module
    except SpecError as error:
        return told(error)
    assert importable(module)
    return "module"


def told(error: SpecError, report: Report | None = None) -> str:
    """The first code of a refusal, which can be shown and looked up, as `ppoc check` does too."""
    found = error.diagnostics
    assert report is None or set(found) <= set(report.found)
    assert all(c.isprintable() or c == "\n" for c in render(found))
    assert {diagnostic.code for diagnostic in found} <= set(pages())
    assert any(diagnostic.severity == "error" for diagnostic in found)
    return found[0].code


seeds = st.integers(0, 2**63 - 1)  # of `specification`, which is faster than hypothesis's draws
SLOW = settings(
    max_examples=MANY, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@settings(max_examples=FEW, deadline=None)
@given(seeds)
def test_a_changed_spec_is_a_module_or_diagnostics(seed):
    outcome(specification(seed))


def vocabulary(module: str) -> set[str]:
    """Every identifier of a module's text."""
    kinds = {"Name": "id", "Attribute": "attr", "arg": "arg", "keyword": "arg", "alias": "name"}
    kinds |= {"FunctionDef": "name", "ClassDef": "name", "ImportFrom": "module"}
    nodes = [(node, kinds.get(type(node).__name__)) for node in ast.walk(ast.parse(module))]
    return {getattr(node, kind) or "" for node, kind in nodes if kind}


BASE = "ppoc: 1\nname: x\nalgorithm: ppo\nenv: {id: CartPole-v1, backend: gymnasium}\n"
MORE = ["env.options={sutton_barto_reward: true}", "losses.policy.objective=ratio * A - kl"]


@functools.cache
def known() -> frozenset[str]:
    """The identifiers of the zoo's modules, and of options and a formula."""
    texts = [path.read_text(encoding="utf-8") for path in ZOO.values()]
    resolved = [resolve_text(text, "x.yaml") for text in texts]
    resolved.append(resolve_text(BASE, "x.yaml", MORE))
    return frozenset().union(*(vocabulary(compile_spec(one).module) for one in resolved))


def takes_text(annotation: Any) -> bool:
    """Whether a type has text in it that is not one of a few words."""
    if get_origin(annotation) is Literal:
        return False
    return annotation is str or any(takes_text(part) for part in get_args(annotation))


def poisoned(path: tuple[str, ...], text: str, as_key: bool) -> str:
    """A spec with a text of somebody's own at a path that takes text."""
    root = parse(BASE, "x.yaml").plain()
    name = json.dumps(text)
    if "dict" in str(FIELDS[path]):
        own = {"env": "sutton_barto_reward"}.get(path[0], "x")
        value: Any = Fragment(f"{{{name}: 1}}" if as_key else f"{{{own}: {name}}}")
    else:
        value = Fragment(name)
    place(root, path, value)
    if as_key and path[-1] == "parameters":  # a parameter counts only if the formula names it
        place(root, (*path[:-1], "objective"), f"{text} * ratio * A")
    return flow(root)


TEXTS = [path for path, annotation in FIELDS.items() if takes_text(annotation)]


def never_code(path: tuple[str, ...], text: str, as_key: bool) -> str:
    """The fate of a text: a code that refuses it, or a `module` that has no word of it."""
    try:
        module = compile_spec(resolve_text(poisoned(path, text, as_key), "spec.yaml")).module
    except SpecError as error:
        return told(error)
    own = rf"(VALUE_)?OBJECTIVE_{re.escape(text.upper())}"
    strange = {word for word in vocabulary(module) - known() if not re.fullmatch(own, word)}
    assert not strange
    assert importable(module)
    return "module"


hostile = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=40),
    st.lists(
        st.sampled_from([*HOSTILE, *"'\"\\\n{}#()", "import os", "evil", " "]), max_size=4
    ).map("".join),
)
POISON = (st.sampled_from(TEXTS), hostile, st.booleans())


def test_every_text_of_the_language_is_poisoned():
    found = {".".join(path) for path in TEXTS}
    assert {"name", "algorithm", "env.id", "env.options", "losses.policy.objective"} <= found
    assert {"losses.policy.parameters", "losses.value.objective", "lock.versions"} <= found


@settings(max_examples=FEW, deadline=None)
@given(*POISON)
def test_no_text_of_a_spec_becomes_code(path, text, as_key):
    never_code(path, text, as_key)


@pytest.mark.parametrize("text", HOSTILE)
def test_an_option_stands_in_the_module_as_it_is(text):
    """Nothing but the one literal differs from the module of a harmless option."""
    trees = []
    for word in (text, "harmless"):
        override = f"env.options={{sutton_barto_reward: {json.dumps(word)}}}"
        tree = ast.parse(compile_spec(resolve_text(BASE, "x.yaml", [override])).module)
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        (literal,) = [node for node in nodes if node.value == word]
        literal.value = "harmless"
        trees.append(ast.dump(tree))
    assert trees[0] == trees[1]


KINDS = {
    "changed specs": ((seeds,), lambda seed: outcome(specification(seed))),
    "hostile texts": (POISON, never_code),
}
RESULTS = ROOT / "benchmarks" / "results"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_many_thousands(kind, part):
    """The two properties above, many times; what came of them is recorded."""
    strategies, try_one = KINDS[kind]
    counts: Counter[str] = Counter()
    began = time.monotonic()

    @SLOW
    @given(st.tuples(*strategies))
    def many(drawn):
        counts[try_one(*drawn)] += 1

    many()
    assert counts.total() >= MANY
    assert counts["module"] > MANY / 20
    _record(f"{kind}, part {part + 1}", counts, (time.monotonic() - began) / 60)


def _record(name: str, counts: Counter[str], minutes: float) -> None:
    """Add a part to fuzz.json, and write fuzz.md anew."""
    path = RESULTS / "fuzz.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows[name] = {"minutes": round(minutes, 1), **dict(sorted(counts.items()))}
    path.write_text(json.dumps(dict(sorted(rows.items())), indent=1) + "\n", encoding="utf-8")
    lines = []
    for part, found in sorted(rows.items()):
        codes = {code: n for code, n in found.items() if code not in ("module", "minutes")}
        told, modules = sum(codes.values()), found["module"]
        most = ", ".join(f"{code} {n:,}" for code, n in codes.items())
        lines.append(f"| {part} | {told + modules:,} | {modules:,} | {told:,} | 0 | {most} |")
    text = RECORD.format(
        python=platform.python_version(), hypothesis=hypothesis.__version__, rows="\n".join(lines)
    )
    (RESULTS / "fuzz.md").write_text(text, encoding="utf-8")


RECORD = """\
`pytest -m slow tests/compiler/test_fuzz.py`, Python {python}, hypothesis {hypothesis}.

*Changed specs*: a spec of the zoo after one to four edits of its values, keys or text. *Hostile
texts*: a text such as `__import__('os').system('true')` in each place that takes text, as key and
as value; a module has it in literals only. Where a traceback or a module that does not import comes
of one, the test fails and writes nothing here.

| what | tried | modules that import | diagnostics | tracebacks | the first code told |
| --- | --- | --- | --- | --- | --- |
{rows}
"""
