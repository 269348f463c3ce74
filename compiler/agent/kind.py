"""The kind of spec that says nothing else: an agent in an environment."""

from collections.abc import Iterator, Mapping

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.agent.peers.names import PEERS
from ppoc.compiler.agent.presets import critic_like_actor, preset, presets
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.agent.starter import starter
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.merge import attempt, merge
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.program import Program
from ppoc.compiler.front.rules import rules_in
from ppoc.compiler.front.values import VERSION

REQUIRED = {"ppoc": VERSION, "name": "agent", "algorithm": "ppo", "env": {"id": "none"}}


class AgentKind:
    """Specs of an agent; what only some verbs need is imported when it is asked for."""

    name = "control"
    model = AgentSpec
    required = REQUIRED
    peers = PEERS
    resolved = ResolvedAgent
    rules = rules_in("ppoc.compiler.agent.rules", "ppoc.compiler.emission.cxx")

    needed = ("ppoc", "algorithm", "env")
    introduction = ""
    task = "env.id"
    alike = (
        "training.total_steps",
        "evaluation.episodes",
        "evaluation.deterministic",
        "env.normalize.observations",
        "env.normalize.rewards",
    )
    pace = (
        "algorithm",
        "env",
        "networks",
        "optimizer.trust_region",
        "optimizer.cross_entropy",
        "update",
        "training.device",
        "training.compile",
    )

    def presets(self) -> Mapping[str, str]:
        """The presets."""
        return presets()

    def starter(self, file: str, env: str, steps: int) -> str:
        """PPO in an environment."""
        return starter(file, env, steps)

    def try_starter(self, resolved: ResolvedAgent, *, trust: bool) -> None:
        """Make the environment."""
        from ppoc.compiler.agent.env.probe import probe

        probe(resolved, trust=trust)

    def layered(self, user: Node, found: list[Diagnostic]) -> Node:
        """The document over its preset."""
        below = attempt(lambda: preset(user), found) or Node({})
        return critic_like_actor(merge(below, user))

    def placed(self, document: Node) -> Node:
        """The document itself: none of its values names a file."""
        return document

    def probed(self, resolved: ResolvedAgent, *, right: bool, trust: bool) -> Iterator[Diagnostic]:
        """Problems that the environment shows, which is made once."""
        from ppoc.compiler.agent.build import environment_problems

        yield from environment_problems(resolved, right=right, trust=trust)

    def length(self, resolved: ResolvedAgent) -> int:
        """Environment steps."""
        return resolved.spec.training.total_steps

    def compile(self, resolved: ResolvedAgent, *, trust: bool = False) -> Program:
        """The module of the agent; raises as `compile_agent` does."""
        from ppoc.compiler.agent.build import compile_agent

        return compile_agent(resolved, trust=trust)

    def explain(self, resolved: ResolvedAgent, *, tex: bool = False) -> str:
        """The objectives of the agent."""
        from ppoc.compiler.agent.explanation import explain

        return explain(resolved, tex=tex)


KIND = AgentKind()
