"""The kind of spec of a language model that learns from human feedback."""

from collections.abc import Iterator, Mapping

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.program import Program
from ppoc.compiler.front.rules import Phase, rules_in
from ppoc.compiler.front.values import VERSION
from ppoc.compiler.rlhf.language import RlhfSpec
from ppoc.compiler.rlhf.peers import PEERS
from ppoc.compiler.rlhf.probe import RlhfFacts
from ppoc.compiler.rlhf.resolved import RlhfResolved, placed
from ppoc.compiler.rlhf.starter import INTRODUCTION, STARTER

REQUIRED = {"ppoc": VERSION, "kind": "rlhf", "name": "model", "model": {}}


class RlhfKind:
    """Specs of `kind: rlhf`; what only some verbs need is imported when it is asked for."""

    name = "rlhf"
    model = RlhfSpec
    required = REQUIRED
    peers = PEERS
    resolved = RlhfResolved
    rules = rules_in("ppoc.compiler.rlhf.rules", "ppoc.compiler.emission.cxx")

    needed = ("ppoc", "model")
    introduction = INTRODUCTION
    task = ""
    alike = ("ppo.episodes", "sft.epochs", "reward.epochs", "evaluation.prompts", "model.id")
    pace = (
        "stages",
        "model",
        "data.max_prompt_tokens",
        "data.max_response_tokens",
        "sft.epochs",
        "reward.epochs",
        "ppo.rollout_size",
        "ppo.minibatch_size",
        "ppo.epochs",
        "ppo.generation",
        "training.device",
        "training.compile",
    )

    def presets(self) -> Mapping[str, str]:
        """None."""
        return {}

    def starter(self, file: str, env: str, steps: int) -> str:
        """All three stages, of a small model."""
        return STARTER.format(file=file, name="my-model")

    def try_starter(self, resolved: RlhfResolved, *, trust: bool) -> None:
        """Nothing: its files are still to be written."""

    def layered(self, user: Node, found: list[Diagnostic]) -> Node:
        """The document itself: there are no presets."""
        return user

    def placed(self, document: Node) -> Node:
        """The document with the files of its data and models, each beside the text that says it."""
        return placed(document)

    def probed(self, resolved: RlhfResolved, *, right: bool, trust: bool) -> Iterator[Diagnostic]:
        """Problems that the files of the spec show."""
        yield from resolved.findings(Phase.PROBED, RlhfFacts(resolved))

    def length(self, resolved: RlhfResolved) -> int:
        """Responses that PPO learns from."""
        return resolved.spec.ppo.episodes if "ppo" in resolved.spec.stages else 0

    def compile(self, resolved: RlhfResolved, *, trust: bool = False) -> Program:
        """The module of all stages; raises as `compile_rlhf` does."""
        from ppoc.compiler.rlhf.build import compile_rlhf

        return compile_rlhf(resolved)

    def explain(self, resolved: RlhfResolved, *, tex: bool = False) -> str:
        """The objectives of the stages."""
        from ppoc.compiler.rlhf.explanation import explain

        return explain(resolved, tex=tex)


KIND = RlhfKind()
