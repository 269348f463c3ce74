"""Names of variants in the words of the field: `with-entropy`, `trpo`, `epsilon-0.1`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

NOUNS = {
    "losses.entropy.beta": "entropy",
    "losses.value.clip": "value-clip",
    "losses.value.coefficient": "value-weight",
    "ppo.kl.beta": "kl",
    "optimizer.actor.lr": "lr",
    "env.num_envs": "envs",
    "update.rollout_steps": "rollout",
    "update.minibatch_size": "minibatch",
    "training.total_steps": "steps",
}
SMALL = {"a", "an", "the", "of", "any", "its", "our", "and", "with", "using", "please", "at", "all"}
LONGEST = 40


def slug(words: str, most: int = 4) -> str:
    """Words as a name: small letters and hyphens, without articles and bonus."""
    found = [w for w in re.findall(r"[\w.]+", words.lower()) if w not in SMALL]
    return "-".join(found[:most])[:LONGEST].strip(".-_") or "variant"


def noun(path: str) -> str:
    """One or two words for a field."""
    general = re.sub(r"\.(actor|critic)\.", ".actor.", path)
    if general in NOUNS:
        name = NOUNS[general]
    else:
        steps = path.split(".")
        vague = (
            "beta",
            "kind",
            "clip",
            "coefficient",
            "rewards",
            "observations",
            "schedule",
            "size",
        )
        name = "-".join(steps[-2:] if steps[-1] in vague else steps[-1:]).replace("_", "-")
    return f"critic-{name}" if ".critic." in path else name


def of_switch(changes: Mapping[str, Any], words: str, on: bool) -> str:
    """The name of a variant that has something, or is without it."""
    own = [path for path, value in changes.items() if on or value in (None, False, 0)]
    known = [NOUNS[path] for path in own if path in NOUNS]
    what = known[0] if len(known) == len(own) == 1 else slug(re.sub(r"[\d.,]+\S*", " ", words))
    return f"{'with' if on else 'without'}-{what}"


def of_changes(changes: Mapping[str, Any], algorithm: str | None) -> str:
    """The name of a variant by what it changes; `algorithm`: that its words name, if they do."""
    parts: list[str] = []
    if "algorithm" in changes:
        parts.append(str(changes["algorithm"]))
    for path, value in changes.items():
        if path == "algorithm" or len(parts) == 3:
            continue
        twin = path.replace(".critic.", ".actor.")
        if twin != path and changes.get(twin) == value:
            continue
        parts.append(_part(path, value))
    return "-".join(parts)[:LONGEST].strip(".-_") or algorithm or "plain"


def _part(path: str, value: Any) -> str:
    name = noun(path)
    if value is None or value is False:
        return f"no-{name}"
    if value is True:
        return name
    if isinstance(value, list):
        same = len(set(map(str, value))) == 1
        return f"{len(value)}x{value[0]}" if same and value else slug("-".join(map(str, value)))
    if isinstance(value, int | float):
        return f"{name}-{value:g}"
    return slug(str(value))


def distinct(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that come again."""
    found: list[str] = []
    for name in names:
        number = 1
        while name in found:
            number += 1
            name = f"{name.removesuffix(f'-{number - 1}')}-{number}"
        found.append(name)
    return found
