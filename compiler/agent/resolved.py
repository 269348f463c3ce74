"""A checked spec of an agent in an environment."""

from dataclasses import dataclass

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.front.spec import ResolvedSpec


@dataclass(frozen=True)
class ResolvedAgent(ResolvedSpec):
    """A checked spec of an agent."""

    spec: AgentSpec


def as_agent(document: ResolvedSpec) -> ResolvedAgent:
    """A checked spec that has to be an agent's.

    Raises:
        SpecError: E401, it is of another kind.
    """
    if isinstance(document, ResolvedAgent):
        return document
    message = "this verb is for agents in environments, and the spec is of another kind"
    help = "give a spec with an `env`"
    raise document.spec_error("E401", ("kind",), message, help)
