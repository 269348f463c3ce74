"""Action distributions: which there are, and the text in which a module speaks of each."""

from dataclasses import dataclass
from typing import Literal

from ppoc.compiler.emission.literals import Code

Policy = Literal[
    "categorical", "multi-categorical", "bernoulli", "gaussian", "tanh-gaussian", "beta"
]
LOGITS = ("categorical", "multi-categorical", "bernoulli")
GAUSSIANS = ("gaussian", "tanh-gaussian")


@dataclass(frozen=True)
class Distribution:
    """An action distribution in the words of a generated module."""

    policy: Policy
    free_std: bool  # σ is a parameter, not what the actor gives
    components: int | None  # A of an action; None: one number

    @property
    def names(self) -> Code:
        """The names of the distribution's parameters."""
        if self.policy in LOGITS:
            return Code("logits")
        return Code("alpha, beta" if self.policy == "beta" else "mean, log_std")

    @property
    def of_entropy(self) -> Code:
        """The names of the parameters that the entropy depends on."""
        return Code("log_std") if self.policy == "gaussian" else self.names

    @property
    def integers(self) -> bool:
        return self.policy in LOGITS

    @property
    def template(self) -> str:
        return f"distribution_{self.policy.replace('-', '_')}.jinja"

    def of(self, source: str, params: str = "p") -> Code:
        """Its parameters, to assign to `names`, for the text of the actor's input."""
        actor = f"actor({params}, {source})"
        return Code(f'{actor}, {params}["log_std"]' if self.free_std else actor)

    def passed(self, source: str) -> Code:
        """Its parameters as arguments of a call."""
        pair = self.policy not in LOGITS and not self.free_std
        return Code(f"*{self.of(source)}" if pair else self.of(source))

    def log_prob(self, source: str, actions: str) -> Code:
        """Source of the log-probability of actions."""
        return Code(f"log_prob({self.passed(source)}, {actions})")

    @property
    def functions(self) -> set[str]:
        """The functions of torch.nn.functional that the distribution needs."""
        needs = {
            "categorical": {"log_softmax"},
            "multi-categorical": {"log_softmax"},
            "bernoulli": {"softplus"},
            "tanh-gaussian": {"softplus"},
        }
        return needs.get(self.policy, set())
