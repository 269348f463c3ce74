"""Objectives as formulas: what is read, what is refused and where, and what is written."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppoc.compiler import zoo
from ppoc.compiler.formula.notation import latex, statements, unicode_text
from ppoc.compiler.formula.parser import FUNCTIONS, MAX_DEPTH, FormulaError, Kind, Symbol, parse
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve, resolve_text

SYMBOLS = {
    "ratio": Symbol(Kind.SAMPLE, True, "", "r", r"r_t(\theta)", "ratio"),
    "A": Symbol(Kind.SAMPLE, False, "", "Â", r"\hat A_t", "advantages"),
    "epsilon": Symbol(Kind.NUMBER, False, "", "ε", r"\epsilon", "CLIP_RANGE", 0.2),
}
CLIP = "min(ratio * A, clip(ratio, 1 - epsilon, 1 + epsilon) * A)"


def run(text, **values):
    """The results of the emitted lines."""
    names = {"torch": torch, "CLIP_RANGE": 0.2, **values}
    exec("\n".join(statements(parse(text, SYMBOLS), "result", {})), names)
    return names["result"]


def test_clip_is_written_three_ways():
    tree = parse(CLIP, SYMBOLS)
    assert statements(tree, "objective", {}) == [
        "clipped = ratio.clamp(1 - CLIP_RANGE, 1 + CLIP_RANGE)",
        "objective = torch.min(ratio * advantages, clipped * advantages)",
    ]
    assert unicode_text(tree) == "min(r·Â, clip(r, 1 − ε, 1 + ε)·Â)"
    assert unicode_text(tree, numbers=True) == "min(r·Â, clip(r, 0.8, 1.2)·Â)"
    assert latex(tree) == (
        r"\min\left(r_t(\theta)\,\hat A_t, \operatorname{clip}\left(r_t(\theta), "
        r"1 - \epsilon, 1 + \epsilon\right)\,\hat A_t\right)"
    )


def test_greek_letters_are_names():
    assert parse("ratio * ε * A", SYMBOLS) is not None


@pytest.mark.parametrize("ratio", [1.0, 0.5, 1.5])
@pytest.mark.parametrize("advantage", [2.0, -2.0])
def test_the_six_rows_of_the_clip_table(ratio, advantage):
    """Ratio inside, below, above; advantage positive, negative: value, clipped or not, gradient."""
    expected = {
        (1.0, 2.0): (2.0, 2.0),
        (0.5, 2.0): (1.0, 2.0),  # below, but the smaller of the two: not clipped
        (1.5, 2.0): (2.4, 0.0),
        (1.0, -2.0): (-2.0, -2.0),
        (0.5, -2.0): (-1.6, 0.0),
        (1.5, -2.0): (-3.0, -2.0),  # above, but the smaller of the two: not clipped
    }
    r = torch.tensor([ratio], dtype=torch.float64, requires_grad=True)
    value = run(CLIP, ratio=r, advantages=torch.tensor([advantage], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(value.sum(), r)
    assert (value.item(), gradient.item()) == pytest.approx(expected[ratio, advantage])


WRONG = {
    "rato * A": (0, 4, "unknown name `rato`"),
    "ratio * clip(A, 1)": (8, 18, "`clip` takes 3 arguments, not 2"),
    "ratio * fn(A)": (8, 10, "unknown function `fn`"),
    "A * clip(ratio, 1 + ε, 1 - ε)": (16, 28, "clip's bounds are the wrong way round: 1.2 > 0.8"),
    "clip(ratio, A, 2)": (12, 13, "a bound of clip must be one number"),
    "ratio ^ 2": (0, 9, "a formula cannot have this"),
    "ratio if A else 1": (0, 17, "a formula cannot have this"),
    "ratio * (1 / 0)": (9, 14, "this has no finite value"),
    "ratio / (1 - 1)": (9, 14, "division by zero"),
    "ratio ** A": (9, 10, "an exponent must be a number"),
    "ratio * 'A'": (8, 11, "a formula has only numbers, names and functions"),
    "ratio.data * A": (0, 10, "a formula cannot have this"),
    "ratio * (": (8, 9, "this is not a formula"),
    "ratio * log(0 - 1)": (8, 18, "this has no finite value"),
    "ratio * 1e99": (8, 12, "the number is too large"),
    "__import__('os').system('x')": (0, 28, "a formula cannot have this"),
}


@pytest.mark.parametrize("text", WRONG)
def test_errors_point_into_the_formula(text):
    start, end, message = WRONG[text]
    with pytest.raises(FormulaError) as caught:
        statements(parse(text, SYMBOLS), "x", {})
    error = caught.value
    assert (error.message, error.start, error.end) == (message, start, min(end, len(text)))


def test_deep_and_long_formulas_are_refused():
    for text in ("-" * 400 + "ratio", "(" * 400, "ratio" + "+ratio" * 80, "ratio" * 200):
        with pytest.raises(FormulaError):
            parse(text, SYMBOLS)


@pytest.mark.parametrize(
    ("before", "after"), [("", "+1"), ("1+(", ")"), ("-", ""), ("exp(", ")"), ("min(1, ", ")")]
)
def test_every_side_of_a_formula_may_be_as_deep(before, after):
    """A name within MAX_DEPTH operations is a formula; within one more it is refused."""
    parse(before * MAX_DEPTH + "ratio" + after * MAX_DEPTH, SYMBOLS)
    deeper = MAX_DEPTH + 1
    with pytest.raises(FormulaError, match="levels"):
        parse(before * deeper + "ratio" + after * deeper, SYMBOLS)


@given(st.text(alphabet="ratioAε*+-/()., 0123456789minclip\n'\"\\{}", max_size=60))
def test_any_text_is_a_formula_or_one_error(text):
    place = (0, 1)
    try:
        tree = parse(text, SYMBOLS)
        statements(tree, "x", {})
        unicode_text(tree, numbers=True)
        latex(tree)
    except FormulaError as error:
        place = (error.start, error.end)
    assert 0 <= place[0] < place[1]


leaf = st.sampled_from(["ratio", "A", "epsilon", "2", "0.5"])
trees = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"({text})**2"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
    ),
    max_leaves=8,
)


@given(trees, st.floats(0.1, 2), st.floats(-2, 2))
def test_emitted_code_computes_the_formula(text, ratio, advantage):
    """Against Python's own arithmetic on the same text."""
    text = f"ratio * ({text})"
    if len(text) > 500:
        return
    names = {name: function for name, (_, function) in FUNCTIONS.items()}
    expected = eval(text, {**names, "ratio": ratio, "A": advantage, "epsilon": 0.2})
    tensors = {
        "ratio": torch.tensor([ratio], dtype=torch.float64),
        "advantages": torch.tensor([advantage], dtype=torch.float64),
    }
    found = run(text, **tensors).item()
    assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("which", "parameters", "words"),
    [
        ("policy", "{c: 1, C: 2}", "differs from `c` in case only"),
        ("policy", "{A: 1}", "has a meaning"),
        ("policy", "{epsilon: 1}", "has a meaning"),
        ("value", "{V_old: 1}", "has a meaning"),
        ("value", "{clip: 1}", "has a meaning"),
    ],
)
def test_parameters_have_names_of_their_own(which, parameters, words):
    """In the module each is a constant in capitals."""
    text = "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n"
    with pytest.raises(SpecError) as caught:
        resolve_text(f"{text}losses: {{{which}: {{parameters: {parameters}}}}}\n", "spec.yaml")
    (found,) = caught.value.diagnostics
    assert (found.code, words in found.message, found.span.line) == ("E201", True, 4)


@pytest.mark.parametrize(
    ("preset", "which", "formula", "learns"),
    [
        ("ppo", "value", "V_old * R", False),
        ("ppo", "value", "V - R", True),
        ("q-actor-critic", "value", "V_old * R", False),
        ("q-actor-critic", "value", "constant(V) * R", False),
        ("q-actor-critic", "value", "V - R", True),
        ("ppo", "policy", "A + log_prob_old * constant(ratio)", False),
        ("ppo", "policy", "A * log_prob", True),
        ("ppo", "policy", "kl", True),
    ],
)
def test_an_objective_has_a_name_that_learns(preset, which, formula, learns):
    """Names that were known before the update, or are held constant, move no parameter."""
    text = f"ppoc: 1\nalgorithm: {preset}\nenv: {{id: CartPole-v1}}\n"
    text += f"losses: {{{which}: {{objective: {formula}}}}}\n"
    if learns:
        resolve_text(text, "spec.yaml")
        return
    with pytest.raises(SpecError, match="no gradient reaches the"):
        resolve_text(text, "spec.yaml")


@pytest.mark.parametrize("name", ["ppo/cartpole", "rlhf/tiny"])
def test_formulas_of_a_spec_are_parsed_once(monkeypatch, name):
    """By checks, lints, planner, emitter and explanation together."""
    read = []

    def counting(text, symbols):
        read.append(text)
        return parse(text, symbols)

    monkeypatch.setattr("ppoc.compiler.formula.objectives.parse", counting)
    resolved = resolve(zoo.paths()[name])
    resolved.kind.compile(resolved)
    for tex in (False, True):
        resolved.kind.explain(resolved, tex=tex)
    assert len(read) == 2  # of the policy, and of the value function
