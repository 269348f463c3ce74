"""The objectives of a spec: named ones from specs/objectives.yaml, or a user's own formula."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from ppoc.compiler.formula.parser import (
    FUNCTIONS,
    Call,
    FormulaError,
    Kind,
    Name,
    Node,
    Symbol,
    children,
    parse,
)
from ppoc.compiler.front.node import Node as Document
from ppoc.compiler.front.source import parse as parse_yaml

SAMPLE, NUMBER = Kind.SAMPLE, Kind.NUMBER

POLICY_SYMBOLS = {
    "ratio": Symbol(
        SAMPLE, True, "π(a|s) / π_old(a|s), exp(log π − log π_old)", "r", r"r_t(\theta)", "ratio"
    ),
    "log_prob": Symbol(
        SAMPLE, True, "log π(a|s)", "log π", r"\log\pi_\theta(a_t|s_t)", "log_probs"
    ),
    "log_prob_old": Symbol(
        SAMPLE, False, "log π_old(a|s)", "log π_old", r"\log\pi_{\mathrm{old}}(a_t|s_t)",
        "batch.log_probs",
    ),
    "A": Symbol(SAMPLE, False, "the advantage", "Â", r"\hat A_t", "advantages"),
    "kl": Symbol(
        SAMPLE, True, "KL(π_old, π), estimated by (r − 1) − log r", "KL",
        r"\mathrm{KL}(\pi_{\mathrm{old}}, \pi_\theta)", "kl",
    ),
}  # fmt: skip
VALUE_SYMBOLS = {
    "V": Symbol(SAMPLE, True, "the value function at s", "V", r"V_\phi(s_t)", "values"),
    "V_old": Symbol(
        SAMPLE, False, "the value before the update", "V_old", r"V_{\mathrm{old}}(s_t)",
        "batch.values",
    ),
    "R": Symbol(
        SAMPLE, False, "the target of the values", "R", r"\hat R_t", "batch.returns"
    ),
}  # fmt: skip

ACTION_VALUE_SYMBOLS = {
    "V": Symbol(
        SAMPLE, True, "the action-value function at s and a", "Q", r"Q_\phi(s_t, a_t)", "values"
    ),
    "V_old": Symbol(
        SAMPLE, False, "the action value before the update", "Q_old",
        r"Q_{\mathrm{old}}(s_t, a_t)", "batch.values",
    ),
    "R": Symbol(
        SAMPLE, False, "the target: r + γ Q(s′, a′)", "R", r"\hat R_t", "batch.returns"
    ),
}  # fmt: skip


class Learner(Protocol):
    """A section of a spec that has losses of a policy and of a value function."""

    @property
    def losses(self) -> Any:
        """The sections `policy` and `value`, each with `objective` and `parameters`."""

    @property
    def learns_action_values(self) -> bool:
        """Whether values are those of a state and an action."""


@dataclass(frozen=True)
class Objective:
    """A formula with where it comes from."""

    name: str  # of a named objective, or `own formula`
    text: str
    title: str
    source: str
    tree: Node

    def uses(self, name: str) -> bool:
        """Whether the formula has a name in it."""
        return any(isinstance(node, Name) and node.name == name for node in walk(self.tree))

    @property
    def clips_ratio(self) -> tuple[Node, Node] | None:
        """The bounds between which the formula clips the ratio, if it does."""
        for node in walk(self.tree):
            if isinstance(node, Call) and node.function == "clip":
                first = node.arguments[0]
                if isinstance(first, Name) and first.name == "ratio":
                    return node.arguments[1], node.arguments[2]
        return None


def walk(node: Node) -> Iterator[Node]:
    """A tree's nodes."""
    yield node
    for child in children(node):
        yield from walk(child)


@cache
def named(which: str) -> Mapping[str, Mapping[str, str]]:
    """Name → formula, title and source of the `policy` or `value` objectives."""
    text = Path(str(files("ppoc.specs"))).joinpath("objectives.yaml").read_text(encoding="utf-8")
    document: Document = parse_yaml(text, "objectives.yaml")
    found: Mapping[str, Mapping[str, str]] = document.plain()[which]
    return found


def policy_objective(spec: Learner) -> Objective:
    """The policy's objective, to be maximised, of an agent or of the tokens of a language model.

    Raises:
        FormulaError: it is no formula, has unknown names, or no gradient reaches the policy.
    """
    losses = spec.losses
    parameters = {"epsilon": _parameter("ε", r"\epsilon", "CLIP_RANGE", losses.policy.epsilon)}
    parameters |= _own_parameters(losses.policy.parameters, "OBJECTIVE")
    objective = _objective(losses.policy.objective, "policy", {**POLICY_SYMBOLS, **parameters})
    if not objective.tree.learns:
        help = "use `ratio`, `log_prob` or `kl` outside of constant(…)"
        raise FormulaError("no gradient reaches the policy", 0, len(objective.text), help)
    return objective


def value_objective(spec: Learner) -> Objective:
    """The value function's objective, to be minimised.

    Raises:
        FormulaError: as `policy_objective`, of the value function.
    """
    loss = spec.losses.value
    symbols = dict(ACTION_VALUE_SYMBOLS if spec.learns_action_values else VALUE_SYMBOLS)
    symbols |= _own_parameters(loss.parameters, "VALUE_OBJECTIVE")
    if loss.clip is not None:
        symbols["value_clip"] = _parameter("c", "c", "VALUE_CLIP_RANGE", loss.clip)
    clipped = loss.objective == "squared" and loss.clip is not None
    objective = _objective("clipped" if clipped else loss.objective, "value", symbols)
    if not objective.tree.learns:
        help = "use `V` outside of constant(…)"
        raise FormulaError("no gradient reaches the critic", 0, len(objective.text), help)
    return objective


def reserved(which: str) -> set[str]:
    """Names that mean something in formulas of the policy or the value function."""
    symbols = POLICY_SYMBOLS if which == "policy" else VALUE_SYMBOLS
    return {*symbols, *FUNCTIONS, "epsilon" if which == "policy" else "value_clip"}


def _own_parameters(values: Mapping[str, float], prefix: str) -> dict[str, Symbol]:
    """The numbers that a spec declares beside its formula."""
    return {
        name: _parameter(
            name, rf"\mathrm{{{name}}}".replace("_", r"\_"), f"{prefix}_{name.upper()}", value
        )
        for name, value in values.items()
    }


def _parameter(text: str, latex: str, code: str, value: float) -> Symbol:
    return Symbol(NUMBER, False, "a parameter", text, latex, code, value)


def _objective(chosen: str, which: str, symbols: Mapping[str, Symbol]) -> Objective:
    entry = named(which).get(chosen)
    text = entry["formula"] if entry else chosen
    tree = parse(text, symbols)
    if tree.kind is not SAMPLE:
        help = "an objective is a mean over samples"
        raise FormulaError("this is the same number for every sample", 0, len(text), help)
    if entry:
        return Objective(chosen, text, entry["title"], entry["source"], tree)
    return Objective("own formula", text, "the spec's own formula", "the spec", tree)
