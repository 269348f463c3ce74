"""Estimators of the advantage: their sections of the language, what each needs, how each reads.

An estimator is an entry here, a feature in `features/advantages.py` and its blocks in
`templates/features/advantages.jinja`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ppoc.compiler.emission.constants import Constant
from ppoc.compiler.front.values import STRICT, Fraction, Positive


class Advantage(BaseModel):
    """The weight of the score function."""

    model_config = ConfigDict(**STRICT, populate_by_name=True)
    estimator: Literal["gae", "v-trace", "q", "reward-to-go", "return"] = Field(
        "gae",
        description="gae: generalised advantage estimation (Schulman et al. 2016). v-trace: "
        "that of a buffer's rollouts, by truncated ratios π/μ (Espeholt et al. 2018). q: the "
        "critic is an action-value function Q(s, a) and weighs the score itself. Without a critic "
        "reward-to-go, or the return of the whole episode.",
    )
    baseline: Literal["none", "mean"] = Field(
        "none",
        description="What reward-to-go and return are compared with; mean: of the whole batch.",
    )
    gamma: Fraction = Field(0.99, description="Discount factor γ.")
    lambda_: Fraction = Field(
        0.95, alias="lambda", description="λ of GAE: 0 is the TD error, 1 return minus value."
    )
    rho_clip: Positive = Field(
        1.0, description="ρ̄ of V-trace: the largest ratio that a TD error counts by."
    )
    c_clip: Positive = Field(
        1.0, description="c̄ of V-trace: the largest ratio that later TD errors are traced by."
    )
    normalize: bool = Field(
        True, description="Scale advantages to mean 0 and deviation 1 in each minibatch."
    )


class Buffer(BaseModel):
    """Earlier rollouts that are learnt from again, re-weighted by importance."""

    model_config = STRICT
    rollouts: Annotated[int, Field(ge=2, le=10_000)] = Field(
        4, description="The newest rollouts that are learnt from, this iteration's among them."
    )
    importance: Literal["products", "ratio"] = Field(
        "products",
        description="products: each reward and each sample counts by the product of π/μ over the "
        "decisions before it, μ being the policy that acted. ratio: the objective's ratio is "
        "π/μ of the one decision.",
    )
    clip: Positive | None = Field(
        None, description="The largest product a sample may count by; null: any, without bias."
    )


@dataclass(frozen=True)
class Refusal:
    """A reason why an estimator does not go with a buffer of old samples, or with none."""

    path: tuple[str, ...]
    message: str
    help: str
    why: str = ""


@dataclass(frozen=True)
class Estimator:
    """An estimator, as far as it is not code.

    Attributes:
        name: in messages.
        title: in the first line of a module.
        explained: lines for `ppoc explain`, of a section and of whether products of importance
            ratios weigh its samples.
        critic: reason why it needs a critic; None: it reads none, and needs whole episodes.
        subtracts_values: whether the critic is its baseline.
        constants: of a module, beside the discount factor.
        one_decision: whether one ratio corrects a sample, as the advantage is of one decision.
        sample_weight: factor of a sample where products of ratios weigh; None: no other than its
            advantage has in it.
        refuses: reasons why it does not go with a buffer, or with none.
    """

    name: str
    title: str
    explained: Callable[[Advantage, bool], str]
    critic: str | None = None
    subtracts_values: bool = False
    constants: Callable[[Advantage], Sequence[Constant]] = lambda advantage: ()
    one_decision: Callable[[Advantage], bool] = lambda advantage: False
    sample_weight: str | None = "Πₖ₌₀ᵗ ρₖ"
    refuses: Callable[[Buffer | None], Sequence[Refusal]] = lambda buffer: ()


TD_ERRORS = "it sums the TD errors r + γ V(s′) − V(s)"
AT_ENDS = "is 0 after a terminal state, and kept after a time limit"


def _baseline(advantage: Advantage) -> str:
    return " − their mean over the batch" if advantage.baseline == "mean" else ""


def _gae(advantage: Advantage, products: bool) -> str:
    gamma, lam = advantage.gamma, advantage.lambda_
    rho = " ρₜ₊₁" if products else ""
    own = "ρₜ Âₜ" if products else "Âₜ"
    further = f" + {gamma * lam:.6g}{rho} Âₜ₊₁" if gamma * lam else ""
    return (
        "advantage: generalised advantage estimation (Schulman et al. 2016, eq. 16)\n"
        f"    δₜ = rₜ + γ V(sₜ₊₁) − V(sₜ),   Âₜ = δₜ + γλ{rho} Âₜ₊₁,   Rₜ = {own} + V(sₜ)\n"
        f"    δₜ = rₜ + {gamma:g} V(sₜ₊₁) − V(sₜ),   Âₜ = δₜ{further}\n"
        f"    V(sₜ₊₁) {AT_ENDS}"
    )


def _vtrace(advantage: Advantage, products: bool) -> str:
    gamma, lam = f"{advantage.gamma:g}", f"{advantage.lambda_:g}"
    return (
        "advantage: V-trace (Espeholt et al. 2018, eq. 1)\n"
        "    vₜ = V(sₜ) + ρ̂ₜ (rₜ + γ V(sₜ₊₁) − V(sₜ)) + γ cₜ (vₜ₊₁ − V(sₜ₊₁)),   Rₜ = vₜ\n"
        f"    Âₜ = ρ̂ₜ (rₜ + γ vₜ₊₁ − V(sₜ)),   γ = {gamma}\n"
        f"    ρ̂ₜ = min({advantage.rho_clip:g}, ρₜ),   cₜ = {lam}·min({advantage.c_clip:g}, ρₜ)\n"
        f"    V(sₜ₊₁) {AT_ENDS}"
    )


def _action_values(advantage: Advantage, products: bool) -> str:
    return (
        "advantage: the action value itself (Sutton et al. 1999, theorem 1)\n"
        f"    Âₜ = Q(sₜ, aₜ){_baseline(advantage)},   Rₜ = rₜ + γ Q(sₜ₊₁, a′),   "
        f"a′ ~ π(·|sₜ₊₁),   γ = {advantage.gamma:g}\n"
        f"    Q(sₜ₊₁, a′) {AT_ENDS}"
    )


def _returns(advantage: Advantage, products: bool) -> str:
    baseline, gamma = _baseline(advantage), f"γ = {advantage.gamma:g}"
    if products:
        return (
            "advantage: reward-to-go, of episodes that end within the iteration\n"
            f"    Gₜ = rₜ + γ ρₜ₊₁ Gₜ₊₁,   Âₜ = Gₜ{baseline},   {gamma}"
        )
    first = "0" if advantage.estimator == "return" else "t"
    return (
        f"advantage: {advantage.estimator}, of episodes that end within the iteration\n"
        f"    Âₜ = Σₖ γᵏ rₖ₊{first}{baseline},   {gamma}"
    )


def _refuses_other_weights(buffer: Buffer | None) -> Sequence[Refusal]:
    if buffer is None:
        return (
            Refusal(
                ("advantage", "estimator"),
                "V-trace weighs rollouts of older policies, and there is no buffer of them",
                "add `update.buffer: {}`, or use `estimator: gae`, which it is without one",
            ),
        )
    if buffer.clip is not None:
        return (
            Refusal(
                ("update", "buffer", "clip"),
                "`clip` limits products over an episode, and V-trace truncates each ratio",
                "set `advantage.rho_clip` and `advantage.c_clip`",
            ),
        )
    return ()


def _refuses_weights(buffer: Buffer | None) -> Sequence[Refusal]:
    if buffer is None:
        return ()
    return (
        Refusal(
            ("advantage", "estimator"),
            "the return of a whole episode has no per-decision weights",
            "use `estimator: reward-to-go`, which counts each reward once",
            "a reward before a decision says nothing about it, whoever made it",
        ),
    )


ESTIMATORS = {
    "gae": Estimator(
        "GAE",
        "GAE",
        _gae,
        critic=TD_ERRORS,
        subtracts_values=True,
        constants=lambda advantage: (
            Constant(
                "LAMBDA",
                advantage.lambda_,
                "λ of GAE: 0 for the TD error, 1 for the return",
                "advantage.lambda",
            ),
        ),
        one_decision=lambda advantage: advantage.lambda_ == 0,
    ),
    "v-trace": Estimator(
        "V-trace",
        "V-trace",
        _vtrace,
        critic=TD_ERRORS,
        subtracts_values=True,
        constants=lambda advantage: (
            Constant("LAMBDA", advantage.lambda_, "λ, a factor of c", "advantage.lambda"),
            Constant(
                "RHO_CLIP",
                advantage.rho_clip,
                "ρ̄: 1 for the values of a policy near π",
                "advantage.rho_clip",
            ),
            Constant("C_CLIP", advantage.c_clip, "c̄", "advantage.c_clip"),
        ),
        sample_weight=None,
        refuses=_refuses_other_weights,
    ),
    "q": Estimator(
        "`q`",
        "action values",
        _action_values,
        critic="the score is weighed by Q(s, a)",
        one_decision=lambda advantage: True,
    ),
    "reward-to-go": Estimator("`reward-to-go`", "reward-to-go", _returns),
    "return": Estimator(
        "`return`",
        "returns",
        _returns,
        refuses=_refuses_weights,
    ),
}


def estimator_of(advantage: Advantage) -> Estimator:
    """The estimator that a section names."""
    return ESTIMATORS[advantage.estimator]
