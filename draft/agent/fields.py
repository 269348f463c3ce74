"""Facts of the compiler that a reader needs: values of presets, the zoo, types of fields."""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ppoc.compiler.agent.language import AgentSpec
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.spec.paths import of_model, reason_against, values_of
from ppoc.draft.text.claims import Reading

_KIND = re.compile(r"^kind:", re.MULTILINE)  # of another kind than agents
STAND_IN = "CartPole-v1"  # the environment of `ppoc init`, where a request names none


@cache
def preset_values(algorithm: str) -> dict[str, Any]:
    """Every value that a spec has which says nothing but its algorithm."""
    text = f"ppoc: 1\nname: a\nalgorithm: {algorithm}\nenv: {{id: {STAND_IN}}}\n"
    return values_of(resolve_text(text, "preset"))


def below(reading: Reading) -> dict[str, Any]:
    """The values of the preset that a reading names, or of PPO."""
    named = reading.claim("algorithm")
    return preset_values(str(named.value) if named is not None else "ppo")


@cache
def zoo() -> dict[str, str]:
    """Name → text of every agent of the zoo."""
    root = Path(str(files("ppoc.specs")))
    paths = [p for p in sorted(root.glob("*/*.yaml")) if p.parent.name != "presets"]
    texts = {f"{p.parent.name}/{p.stem}": p.read_text(encoding="utf-8") for p in paths}
    return {name: text for name, text in texts.items() if not _KIND.search(text)}


@cache
def zoo_values(name: str) -> dict[str, Any]:
    """The values that a spec of the zoo sets itself, by dotted path."""
    resolved = resolve_text(zoo()[name], f"{name}.yaml")
    return {
        ".".join(path): node.plain()
        for path, node in resolved.root.leaves()
        if node.origin == "spec" and path[0] != "ppoc"
    }


@cache
def field_table() -> dict[str, Any]:
    """Dotted path → pydantic field."""
    return dict(of_model(AgentSpec))


def is_path(path: str) -> bool:
    """Whether the language has a field there, or a place for names of one's own."""
    above = path.rpartition(".")[0]
    return path in field_table() or above.endswith((".parameters", ".options"))


def is_whole(path: str) -> bool:
    """Whether the field takes whole numbers and no others."""
    return not _takes(path, 0.5)


def takes(path: str, value: Any) -> str | None:
    """Why the field at a path does not take a value, or None where it does."""
    if path not in field_table():
        return None if is_path(path) else f"the language has no `{path}`"
    return reason_against(field_table(), path, value)


def _takes(path: str, value: Any) -> bool:
    return takes(path, value) is None


def default_of(path: str) -> Any:
    """The language's own default of a field."""
    return field_table()[path].get_default(call_default_factory=True)
