"""Reading YAML: what is a number, what is refused, and where everything stands."""

import math
from itertools import pairwise

import pytest
import ruamel.yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ppoc.compiler.front.diagnostics import SpecError, render, to_json
from ppoc.compiler.front.scalars import plain_scalar
from ppoc.compiler.front.source import MAX_NODES, parse, read
from ppoc.compiler.front.spec import find
from ppoc.compiler.resolve import resolve_text


def plain(text):
    return parse(text, "spec.yaml").plain()


def codes(text):
    with pytest.raises(SpecError) as caught:
        parse(text, "spec.yaml")
    return [d.code for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e6", 1_000_000),
        ("2.5E3", 2500),
        ("1e16", 1e16),
        ("1.0", 1.0),
        ("3e-4", 3e-4),
        ("1_000_000", 1_000_000),
        (".5", 0.5),
        ("-2.", -2.0),
        ("+7", 7),
        ("007", 7),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("yes", "yes"),
        ("on", "on"),
        ("0x10", "0x10"),
        ("1e", "1e"),
        ("E0", "E0"),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("12:30", "12:30"),
        (".inf", math.inf),
        ("-.inf", -math.inf),
    ],
)
def test_plain_scalars(text, value):
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_quoted_scalars_are_text_and_standard_tags_are_read():
    assert plain("a: '0.2'\nb: \"1\"\nc: !!float 1e6\nd: !!str x") == {
        "a": "0.2", "b": "1", "c": 1e6, "d": "x",
    }  # fmt: skip
    assert math.isnan(plain("a: .nan")["a"])


def test_aliases_and_merge_keys():
    text = "base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\nboth: {<<: [*b, {z: 4}]}\nsame: *b\n"
    found = plain(text)
    assert found["more"] == {"x": 1, "y": 3}
    assert found["both"] == {"x": 1, "y": 2, "z": 4}
    assert found["same"] == {"x": 1, "y": 2}


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    node = parse(read(path), "spec.yaml")
    assert node.plain() == {"a": 1, "b": 2}
    assert node.value["b"].span.line == 2


def test_greek_letters_are_names_and_both_at_once_is_twice():
    assert plain("ε: 1\nβ: 2\nγ: 3\nλ: 4") == {"epsilon": 1, "beta": 2, "gamma": 3, "lambda": 4}
    assert codes("ε: 1\nepsilon: 2") == ["E003"]


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefghi")
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E005"),
        ("# nothing\n", "E005"),
        ("a: 1\n---\nb: 2\n", "E006"),
        ("a:\n\tb: 1\n", "E002"),
        ("a: [1, 2\n", "E002"),
        ("a: 'x\n", "E002"),
        ("a: *nowhere\n", "E002"),
        ("a: &a [*a]\n", "E004"),
        (LAUGHS, "E004"),
        ("[" * 10_000, "E004"),
        ("[" * 5_000 + "]" * 5_000, "E004"),
        ("a: \x00\n", "E002"),
        ("a: !!python/object/apply:os.system ['x']\n", "E006"),
        ("a: !mine 3\n", "E006"),
        ("? [1, 2]\n: 3\n", "E006"),
        ("<<: 3\n", "E006"),
        ("a: 1\na: 2\n", "E003"),
        ("@x", "E002"),
        ("%YAML 9.9\n---\na: 1", "E002"),
        (r'a: "\ud800"', "E006"),
        (r'"\udfff": 1', "E006"),
    ],
)
def test_what_is_refused_is_refused_once(text, code):
    assert codes(text) == [code]


@pytest.mark.parametrize("text", ["a: [" + "x," * 400_000 + "]", "- x\n" * 200_000])
def test_a_megabyte_of_small_values_is_not_read_to_its_end(text, monkeypatch):
    read = []
    step = ruamel.yaml.parser.Parser.get_event
    monkeypatch.setattr(
        ruamel.yaml.parser.Parser, "get_event", lambda self: read.append(1) or step(self)
    )
    assert codes(text) == ["E004"]
    assert len(read) < 3 * MAX_NODES


@pytest.mark.filterwarnings("error")
def test_an_anchor_may_be_used_again():
    assert plain("a: &x 1\nb: &x 2\nc: *x\n") == {"a": 1, "b": 2, "c": 2}


def test_tabs_get_a_hint():
    with pytest.raises(SpecError) as caught:
        parse("a:\n\tb: 1\n", "spec.yaml")
    assert "tabs" in caught.value.diagnostics[0].help


def test_places_of_keys_and_values():
    node = parse("a:\n  - {b: 12, 'c d': [x]}\n", "spec.yaml")
    inner = find(node, ("a", 0, "b"))
    assert (inner.key_span.line, inner.key_span.column, inner.key_span.end_column) == (2, 6, 7)
    assert (inner.span.line, inner.span.column, inner.span.end_column) == (2, 9, 11)
    assert find(node, ("a", 0, "c d", 0)).span.column == 21


SPEC = """\
ppoc: 1
name: some-name
algorithm: ppo
env: {id: CartPole-v1, num_envs: 8, normalize: {observations: true}}
networks:
  actor: {layers: [64, 64]}
losses:
  policy: {objective: "min(ratio * A, A)", epsilon: 0.2}
update: {rollout_steps: 256, epochs: 20, minibatch_size: 256}
training: {total_steps: 100_000}
"""
pieces = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            "{",
            "}",
            "[",
            "]",
            ":",
            ": ",
            "\n",
            "\n  ",
            "- ",
            "&a ",
            "*a",
            "!!",
            "'",
            '"',
            "#",
            "\t",
            "null",
            "-1",
            "1e999",
            ".nan",
            "true",
            "ε",
            "<<: ",
            "lock: ",
            "extends: ",
            "|",
            ">",
            "%",
        ]
    ),
)


@st.composite
def mutated(draw):
    text = SPEC
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(pieces) + text[end:]
    return text


def well_placed(diagnostic):
    span = diagnostic.span
    return span is None or (span.line >= 1 and 1 <= span.column <= len(span.text) + 2)


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_any_text_is_a_spec_or_diagnostics(text):
    try:
        found = resolve_text(text, "spec.yaml").warnings
    except SpecError as error:
        found = error.diagnostics
    assert isinstance(render(found), str)
    to_json(found)
    assert all(well_placed(d) for d in found)


paths = st.sampled_from(
    [
        "env.id",
        "env",
        "name",
        "losses.policy.objective",
        "losses.policy.parameters",
        "update.epochs",
        "networks.actor.layers",
        "networks.critic",
        "optimizer.trust_region",
        "training.seed",
        "x.y",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(paths, st.one_of(pieces, st.text(max_size=20))), max_size=3))
def test_any_override_is_applied_or_diagnosed(pairs):
    try:
        flags = [f"{path}={value}" for path, value in pairs]
        found = resolve_text(SPEC, "spec.yaml", flags).warnings
    except SpecError as error:
        found = error.diagnostics
    assert isinstance(render(found), str)
    assert all(well_placed(d) for d in found)
