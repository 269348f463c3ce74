"""Quantities without a number: turned off, of a usual amount, implied, or a question."""

from ppoc.draft.agent.fields import preset_values, takes
from ppoc.draft.agent.reading.quantities import EVERY_WHAT, best_of, path_for
from ppoc.draft.agent.request import Request
from ppoc.draft.text.claims import Claim
from ppoc.draft.text.glossary import glossary
from ppoc.draft.text.items import Item

OFF = {"entropy": 0.0, "grad_norm": None, "value_clip": None, "kl": None, "buffer_clip": None}
# Terms that requests are full of, and that ask for no value where they stand alone.
PLAIN = {
    "total_steps", "rollout_steps", "steps_per_env", "num_envs", "seeds", "layers", "units",
    "evaluation_episodes", "every",
}  # fmt: skip
VAGUE = {
    "small", "smaller", "large", "larger", "high", "higher", "low", "lower", "big", "bigger",
    "tiny", "huge", "more", "less", "lots", "plenty", "strong", "weak", "aggressive",
    "conservative",
}  # fmt: skip


def read_amounts(reader: Request) -> None:
    """Quantities without a number: turned off, or as much as a convention says, or a question."""
    for at, item in enumerate(reader.items):
        if not item.quantity() or at in reader.attached or at in reader.settled_terms:
            continue
        name = best_of(reader, at)
        entry = glossary().data["quantities"].get(name, {})
        path = path_for(reader, name, at) if entry else None
        zoo = f"the zoo's {reader.reading.base}"
        if path is None or any(c.path == path and c.how != zoo for c in reader.reading.claims):
            continue
        if reader.negated(at) and name == "epsilon" and reader.algorithm == "ppo":
            how = "the ratio without a clip"
            reader.claim("losses.policy.objective", "ratio", _negation(reader, at), item, how)
            continue
        if reader.negated(at) and name in OFF:
            value = OFF[name]
            if takes(path, value) is None:
                reader.claim(path, value, _negation(reader, at), item)
            continue
        words = [i.text for i in reader.items[max(0, at - 2) : at] if i.clause == item.clause]
        amounts = glossary().data["quantities"][name].get("amounts")
        vague = VAGUE & set(words)
        known = [n for n in (2, 1) if " ".join(words[-n:]) in (amounts or {}) and len(words) >= n]
        if amounts and (known or not vague) and not reader.negated(at):
            count = known[0] if known else 0
            source = glossary().data["quantities"][name]["amounts_source"]
            amount = amounts[" ".join(words[-count:]) if count else ""]
            reader.claim(path, amount, reader.items[at - count], item, source, assumed=True)
        elif vague:
            first = next(i for i in reader.items[max(0, at - 2) : at] if i.text in vague)
            present = (reader.known or preset_values(reader.algorithm)).get(path)
            text = f"no number is given, so `{path}` stays {present}"
            reader.note("question", first, text, item)


def read_unused(reader: Request) -> None:
    """Quantities that are named and get no value are questions, not dropped in silence."""
    values = reader.known or preset_values(reader.algorithm)
    for at, item in enumerate(reader.items):
        if not _is_unused(reader, at):
            continue
        name = best_of(reader, at)
        if name == "nothing":
            reader.note("question", item, EVERY_WHAT)
            continue
        path = path_for(reader, name, at)
        if path is None or reader.reading.claim(path) is not None:
            continue
        actors = path.replace(".critic.", ".actor.")
        present = values.get(path)
        stays = "stays unset" if present is None else f"stays {present}"
        if actors != path and reader.reading.claim(actors) is not None:
            stays = f"is as `{actors}`"
        reader.note("question", item, f"no value is given, so `{path}` {stays}")


def read_implied(reader: Request) -> None:
    """`weight decay 0.01` where no optimiser is named: the one that has it."""
    decay, kind = map(
        reader.reading.claim, ("optimizer.actor.weight_decay", "optimizer.actor.kind")
    )
    known = reader.known or preset_values(reader.algorithm)
    if decay is not None and kind is None and known["optimizer.actor.kind"] == "adam":
        how = "Adam that decays weights"
        start, end = decay.start, decay.end
        reader.reading.claims.append(Claim("optimizer.actor.kind", "adamw", start, end, how))


def _is_unused(reader: Request, at: int) -> bool:
    """Whether a term of its own has been read into no claim and no note, and not turned off."""
    item, reading = reader.items[at], reader.reading
    names = item.names("quantity")
    if not names or item.number or len(item.meanings) > len(names) or set(names) & PLAIN:
        return False
    if at in reader.attached or at in reader.settled_terms or reader.negated(at):
        return False
    near = reader.items[max(0, at - 3) : at + 4]
    if item.text in ("gae", "adam at", "adam with") or any(
        i.cue("usual") and i.clause == item.clause for i in near
    ):
        return False
    words = reading.words(item.start, item.end)
    said = any(claim.start <= item.start < claim.end for claim in reading.claims)
    return not said and not any(words in note.words for note in reading.notes)


def read_sizes(reader: Request) -> None:
    """`a big network` without a size is a question."""
    for at, item in enumerate(reader.items[1:], 1):
        before = reader.items[at - 1]
        sized = any(claim.path.endswith(".layers") for claim in reader.reading.claims)
        if item.cue("network") and before.text in VAGUE and not sized:
            text = "no sizes are given, so `networks` keeps its layers"
            reader.note("question", before, text, item)


def _negation(reader: Request, at: int) -> Item:
    for other in reversed(reader.items[max(0, at - 5) : at]):
        if other.cue("negation"):
            return other
    return reader.items[at]
