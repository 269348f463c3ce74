"""Action distributions, and the functions that draw from them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code
from ppoc.compiler.emission.rendering import docstring

GUMBEL = "The largest of logits plus Gumbel noise is a sample of their softmax (Gumbel 1954)."
LOGISTIC = (
    "The logistic distribution's tail is the sigmoid: l + noise > 0 has the probability σ(l)."
)
SHARE = "A Beta variable is the share of one gamma variable in the sum of two."
IN_NUMPY = "The actor again, in NumPy: for a few rows a torch call costs more than its arithmetic."
RECURRENT = (
    "`starts`, [N], bool, and `state`, [N, S], are those of `body`; the state after goes along."
)


class Distribution(Feature):
    """An action distribution: what it says of actions, and what `act` does."""

    policy: ClassVar[str]
    act_doc: ClassVar[str]
    act_more: ClassVar[str] = ""
    note: ClassVar[str]
    zero_noise: ClassVar[str] = "np.zeros(1, np.float32)"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.policy == cls.policy

    def words(self) -> Mapping[str, Any]:
        plan, distribution = self.plan, self.plan.distribution
        one = distribution.components is None
        letter = "" if one else (", K" if self.policy == "multi-categorical" else ", A")
        shared = plan.networks.has_body
        inputs = "body(p, observations)" if shared else "observations"
        rows = "B/L, L" if plan.memory else "B"
        how = IN_NUMPY if plan.networks.acts_in_numpy else RECURRENT if plan.memory else ""
        mean = "" if self.policy == "gaussian" and distribution.free_std else ".mean()"
        return {
            "dist": distribution.names,
            "of_entropy": distribution.of_entropy,
            "mean_of_entropy": Code(mean),
            "dist_of_features": distribution.of("features" if shared else "batch.observations"),
            "dist_of_inputs": distribution.of("inputs"),
            "log_prob_at": distribution.log_prob(
                "features" if shared else "observations", "actions"
            ),
            "log_prob_of_policy_input": distribution.log_prob(inputs, "actions"),
            "more_action_axes": Code("" if one else f", {distribution.components}"),
            "action_dtype": Code(f"np.{'int64' if distribution.integers else 'float32'}"),
            "actions_note": Code(f"[{rows}{letter}]{self.described()}"),
            "rollout_actions_note": Code(f"[T, N{letter}]{self.described()}"),
            "act_docstring": docstring(self.documentation(), how, self.act_more),
            "and_state": Code(", states[0]" if plan.memory else ""),
            "zero_noise": Code(
                "no_noise()" if self.policy == "beta" else "np.zeros(1, np.float32)"
            ),
            "numpy_logits": self.numpy_logits(),
        }

    def documentation(self) -> str:
        """The first line of the docstring of `act`."""
        return self.act_doc

    def described(self) -> str:
        """A description of the actions, for a comment."""
        return self.note

    def numpy_logits(self) -> Code:
        """Logits in NumPy, where masks leave those that are allowed."""
        output = self.plan.networks.numpy_actor(stacked=False)["output"]
        if self.plan.spec.env.action_masks:
            return Code(f"np.where(allowed > 0, {output}, MASKED_LOGIT)")
        return Code(output)

    def lists(self) -> Mapping[str, Sequence[Any]]:
        functions = self.plan.distribution.functions
        return {"imports": [f"from torch.nn.functional import {name}" for name in functions]}


class Categorical(Distribution):
    """One choice."""

    template = "distributions/categorical"
    policy = "categorical"
    act_doc = "Actions [N], int64, for Gumbel noise [N, A]; zero noise gives the mode."
    act_more = GUMBEL
    note = ", int64"


class MultiCategorical(Distribution):
    """Several choices."""

    template = "distributions/multi_categorical"
    policy = "multi-categorical"
    act_doc = "Actions [N, K], int64, for Gumbel noise [N, ΣA]; zero noise gives the mode."
    act_more = GUMBEL
    note = ", int64"


class Bernoulli(Distribution):
    """Switches."""

    template = "distributions/bernoulli"
    policy = "bernoulli"
    act_doc = "Actions [N, A], int64, for logistic noise [N, A]; zero noise gives the mode."
    act_more = LOGISTIC
    note = ", int64, 0 or 1"


class Beta(Distribution):
    """A Beta distribution between the bounds."""

    template = "distributions/beta"
    policy = "beta"
    act_doc = (
        "Actions [N, A] in (0, 1) for the noise of `draw_noise`; none gives the median, nearly."
    )
    act_more = SHARE
    note = ", in (0, 1)"


class Gaussian(Distribution):
    """A diagonal Gaussian."""

    template = "distributions/gaussian"
    policy = "gaussian"
    note = ", before clipping to the bounds"

    def described(self) -> str:
        return self.note if self.plan.action_units is None else ", before scaling to the bounds"

    def documentation(self) -> str:
        axes = "N, F, A" if self.plan.networks.std == "gsde" else "N, A"
        return f"Actions [N, A] for normal noise [{axes}]; zero noise gives the mode."

    def words(self) -> Mapping[str, Any]:
        free = self.plan.distribution.free_std
        title = "a diagonal Gaussian "
        if self.plan.networks.std == "gsde":
            title = "a diagonal Gaussian whose noise is a function of the state "
        elif free:
            title = "a diagonal Gaussian with a state-independent standard deviation "
        doc = "Differential entropy in nats, [...], for log σ [..., A]."
        if free:
            doc = "Differential entropy in nats, []; the same in every state, since σ is."
        return {
            **super().words(),
            "gaussian_title": Code(title + "─" * (100 - len(f"# ── Action distribution: {title}"))),
            "std_shape": Code("[A]" if free else "[..., A]"),
            "entropy_doc": Code(doc),
            "entropy_sum": Code("sum()" if free else "sum(-1)"),
        }

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": [*super().lists()["imports"], "import math"]}


class TanhGaussian(Gaussian):
    """A Gaussian squashed into the bounds."""

    template = "distributions/tanh_gaussian"
    policy = "tanh-gaussian"
    note = ", before tanh"


class NumpyActor(Feature):
    """`act` in NumPy."""

    template = "actors/numpy_actor"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not (plan.searches or plan.device_rollout) and plan.networks.acts_in_numpy


class TorchActor(Feature):
    """`act` with torch."""

    template = "actors/torch_actor"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        host = not (plan.searches or plan.device_rollout)
        return host and not plan.networks.acts_in_numpy and not plan.memory


class RecurrentActor(Feature):
    """`act` with a memory."""

    template = "actors/recurrent_actor"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.memory and not plan.networks.acts_in_numpy


class DeviceCategorical(Feature):
    """Choices drawn on the device."""

    template = "actors/device_categorical"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout and plan.policy == "categorical"


class DeviceGaussian(Feature):
    """Gaussian actions drawn on the device."""

    template = "actors/device_gaussian"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout and plan.policy == "gaussian"


class ActionMasks(Feature):
    """Masks of choices, which ride behind the observations."""

    template = "actors/action_masks"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.env.action_masks and not plan.searches
