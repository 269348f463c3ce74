"""One claim a field: corrections applied, conflicts noted, values given by others computed."""

from dataclasses import replace
from typing import Any

from ppoc.draft.agent.fields import preset_values
from ppoc.draft.agent.reading.quantities import PerEnvironment, Share
from ppoc.draft.agent.reading.relations import Proportion, scaled
from ppoc.draft.agent.request import Request
from ppoc.draft.text.claims import Claim
from ppoc.draft.text.items import Item


def settled(reader: Request) -> list[Claim]:
    """One claim a field: corrections applied, conflicts noted, values given by others computed."""
    by_path: dict[str, Claim] = {}
    for claim in reader.reading.claims:
        earlier = by_path.get(claim.path)
        if earlier is None or _plain_equal(earlier.value, claim.value):
            if earlier is None or earlier.how == f"the zoo's {reader.reading.base}":
                by_path[claim.path] = claim
            continue
        zoo = f"the zoo's {reader.reading.base}"  # said first, wherever it stands
        first, second = sorted((earlier, claim), key=lambda c: (c.how != zoo, c.start))
        by_path[claim.path] = second
        if first.how != zoo and not _corrected(reader, first, second):
            values = [c.value for c in (first, second)]
            shown = " and ".join(reader.reading.words(c.start, c.end) for c in (first, second))
            item = Item(first.start, max(first.end, second.end), "")
            known = (
                f"{values[1]}" if isinstance(values[1], int | float | str | list) else "the last"
            )
            reader.note("question", item, f"`{claim.path}` is given twice, {shown}: taking {known}")
    if by_path.get("networks.critic.share") and by_path["networks.critic.share"].value == "actor":
        for key in ("layers", "activation", "init"):
            by_path.pop(f"networks.critic.{key}", None)
    return [c for c in (_computed(reader, by_path, c) for c in by_path.values()) if c is not None]


def _plain_equal(a: Any, b: Any) -> bool:
    if isinstance(a, PerEnvironment) and isinstance(b, PerEnvironment):
        return a.steps == b.steps
    return type(a) is type(b) and a == b


def _corrected(reader: Request, first: Claim, second: Claim) -> bool:
    between = (i for i in reader.items if first.start < i.start <= second.end)
    return any(i.cue("correction") for i in between)


def _computed(reader: Request, by_path: dict[str, Claim], claim: Claim) -> Claim | None:
    values = reader.known or preset_values(reader.algorithm)

    def value_of(path: str) -> Any:
        other = by_path.get(path)
        if other is None:
            return values[path]
        done = _computed(reader, by_path, other)
        return done.value if done is not None else values[path]

    value = claim.value
    if isinstance(value, Proportion):
        other = by_path.get(value.path)
        base = values[value.path] if other is None or other is claim else other.value
        if isinstance(base, Proportion):
            return None
        return replace(claim, value=scaled(claim.path, base, value.factor))
    if isinstance(value, PerEnvironment):
        said = by_path.get("env.num_envs")
        envs = said.value if said else (reader.known or {}).get("env.num_envs", 1)
        how = f"{value.steps} steps in each of {envs} environments" if envs > 1 else claim.how
        return replace(claim, value=value.steps * envs, how=how)
    if isinstance(value, Share):
        rollout = value_of("update.rollout_steps")
        if rollout % value.count:
            item = Item(claim.start, claim.end, "")
            text = f"{value.count} minibatches do not divide a rollout of {rollout} steps"
            reader.note("question", item, text)
            return None
        how = f"{rollout} steps of a rollout over {value.count} minibatches"
        return replace(claim, value=rollout // value.count, how=how)
    return claim
