"""Whatever is done to a spec or its data, the outcome is diagnostics or a checked spec.

`pytest -m slow tests/compiler/rlhf/test_fuzz.py` tries thousands.
"""

import ast
import json
import random

import pytest

from ppoc.compiler.batch import check
from ppoc.compiler.front.diagnostics import SpecError, render
from ppoc.compiler.front.source import parse
from ppoc.compiler.pages import pages
from ppoc.compiler.resolve import resolve
from ppoc.compiler.rlhf.build import compile_rlhf
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.draft.spec.paths import of_model
from zoo import ROOT

FEW, MANY = 60, 3000
TINY = ROOT / "specs" / "rlhf" / "tiny.yaml"
DOCUMENT = parse(TINY.read_text(encoding="utf-8"), "tiny.yaml").plain()
PATHS = [path.split(".") for path, _ in of_model(RlhfSpec) if path != "lock"]
VALUES = [
    *(None, True, False, 0, 1, 2, -1, 3, 32, 128, 10**9, 2**31, 0.5, 1e-5, 1e30, -0.1, 5.5),
    *("", "gpt2", "byte", "base", "d.jsonl", "../../etc/passwd", "sft", "clip", "ratio * A"),
    *("__import__('os').system('true')", '"""\nimport os', "{{ 7 * 7 }}", "\\x22", "a" * 600, "\0"),
    *([], {}, ["sft"], ["ppo", "sft"], ["reward", "reward"], {"bpe": 300}, {"a": 1}, [[1, 2]]),
]
LINES = [
    *('{"prompt": "a", "response": "b"}', '{"prompt": "a", "chosen": "b", "rejected": "c"}'),
    *('{"prompt": 1}', "null", "{", "[]", "\x00", "é" * 50, '{"a": {}}', "[" * 5000, "9" * 5000),
    *('{"prompt": "\\ud800", "response": "x"}', '{"prompt": "a", "ranking": ["x", "y", "z"]}'),
    *('{"prompt": "a", "ranking": []}', '{"prompt": "a", "response": ""}', "nan", "\ufeff{}"),
    '{"prompt": "p", "prompt": "q"}',
]


def changed(rng):
    """The tiny spec with some values replaced, removed or added."""
    document = json.loads(json.dumps(DOCUMENT))
    for _ in range(rng.randrange(1, 3)):
        *above, key = rng.choice(PATHS)
        section = document
        for step in above:
            inner = section.setdefault(step, {})
            section = inner if isinstance(inner, dict) else {}
        if rng.random() < 0.2:
            section.pop(key, None)
        elif rng.random() < 0.1:
            section[key[:-1]] = rng.choice(VALUES)
        else:
            section[key] = rng.choice(VALUES)
    return document


def one(folder, seed):
    """Check a changed spec with changed data, and compile it where it is right; the outcome."""
    rng = random.Random(seed)
    (folder / "tiny").mkdir(exist_ok=True)
    for name in ("demonstrations", "preferences", "prompts"):
        lines = (TINY.parent / "tiny" / f"{name}.jsonl").read_text().split("\n")[:6]
        if rng.random() < 0.1:
            lines[rng.randrange(5)] = rng.choice(LINES)
        data = "\n".join(lines).encode("utf-8", "surrogatepass")
        if rng.random() < 0.05:
            data = data.replace(b"a", bytes([rng.randrange(256)]), 1)
        (folder / "tiny" / f"{name}.jsonl").write_bytes(data)
    path = folder / "spec.yaml"
    path.write_text(json.dumps(changed(rng)))
    found = check(path).found
    assert all(diagnostic.code in pages() for diagnostic in found)
    plain = ("E011", "E201")  # say in their message what is to be
    told = [d for d in found if d.severity == "error" and d.code not in plain]
    assert all(d.help for d in told), render(found)
    if any(d.severity == "error" for d in found):
        return "refused"
    try:
        module = compile_rlhf(resolve(path)).module
    except SpecError as error:
        return f"not compiled: {error.diagnostics[0].code}"
    tree = ast.parse(module)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not names & {"__import__", "eval", "exec"}
    assert "os" not in imported
    return "compiled"


def outcomes(folder, seeds):
    counts = {}
    for seed in seeds:
        outcome = one(folder, seed)
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def test_changed_specs_and_data_are_refused_or_compiled(tmp_path):
    counts = outcomes(tmp_path, range(FEW))
    assert counts["refused"] > FEW / 4
    assert counts["compiled"] > 2


@pytest.mark.slow
def test_many_changed_specs_and_data(tmp_path):
    counts = outcomes(tmp_path, range(1000, 1000 + MANY))
    print(counts)
    assert counts["compiled"] > MANY / 20
