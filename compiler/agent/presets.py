"""Layers below an agent's spec: its preset, and for the critic's optimiser the actor's."""

from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from ppoc.compiler.agent.peers.other_algorithms import unknown_algorithm
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import INHERITED, parse


@cache
def presets() -> dict[str, str]:
    """Name → text of every preset."""
    root = Path(str(files("ppoc.specs"))) / "presets"
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(root.glob("*.yaml"))}


def preset(user: Node) -> Node:
    """The preset that a document names.

    Raises:
        SpecError: E016, there is none of that name.
    """
    chosen = user.value.get("algorithm")
    if chosen is None or not isinstance(chosen.value, str):
        return Node({})  # the language says that it is missing, or not a word
    if chosen.value not in presets():
        names = ", ".join(presets())
        help = f"{unknown_algorithm(chosen.value, presets())} one of: {names}".strip()
        message = f"unknown preset `{chosen.value[:80]}`"
        raise SpecError([Diagnostic("E016", message, chosen.span, help=help)])
    return _preset_document(chosen.value)


@cache
def _preset_document(name: str) -> Node:
    return parse(presets()[name], f"preset {name}", f"preset {name}")


def critic_like_actor(root: Node) -> Node:
    """Copy what the critic's optimiser leaves out from the actor's, but for an adaptive rate."""
    optimizer = root.value.get("optimizer")
    if optimizer is None or not isinstance(optimizer.value, dict):
        return root
    actor = optimizer.value.get("actor", Node({}))
    critic = optimizer.value.get("critic", Node({}, actor.span, actor.key_span, INHERITED))
    if not (isinstance(actor.value, dict) and isinstance(critic.value, dict)):
        return root
    schedule = actor.value.get("schedule")
    own = {"schedule", "kl_target"} if schedule and schedule.value == "adaptive" else set()
    shared = {key: node for key, node in actor.value.items() if key not in own}
    copied = {key: replace(node, origin=INHERITED) for key, node in shared.items()}
    both = {**optimizer.value, "critic": replace(critic, value={**copied, **critic.value})}
    return replace(root, value={**root.value, "optimizer": replace(optimizer, value=both)})
