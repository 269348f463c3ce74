"""Phrases without numbers: choices, switches, normalisation, schedules, the impossible."""

import re
from typing import Any

from ppoc.draft.agent.context import is_memory
from ppoc.draft.agent.fields import STAND_IN, takes, zoo, zoo_values
from ppoc.draft.agent.reading.networks import both_roles
from ppoc.draft.agent.request import Request
from ppoc.draft.text.glossary import glossary
from ppoc.draft.text.items import Item

_LITERALS: dict[str, Any] = {
    "True": True,
    "False": False,
    "None": None,
    "[]": [],
    "MaskVelocity": ["MaskVelocity"],
}
_UNKNOWN_AFTER = {"on", "in", "for", "auf", "für", "sur", "en", "playing", "play", "solve"}


def read_base(reader: Request) -> None:
    """`same as ppo/hopper but …`: everything that a spec of the zoo says, as if said here first.

    Of several, the last one counts.
    """
    item = None
    for match in re.finditer(r"\b[a-z][\w-]*/[a-z][\w-]*", reader.reading.request.lower()):
        if match[0] not in zoo():
            continue
        item = Item(match.start(), match.end(), match[0])
        for i, other in enumerate(reader.items):
            if item.start <= other.start < item.end:
                reader.free.discard(i)
                reader.items[i] = Item(other.start, other.end, "", sentence=other.sentence)
    if item is None:
        return
    reader.reading.base = name = item.text
    for path, value in zoo_values(name).items():
        if path != "name":
            reader.claim(path, value, item, item, f"the zoo's {name}")
    reader.algorithm = zoo_values(name)["algorithm"]


def refined(reader: Request, name: str) -> str:
    """The preset that an algorithm's further words make of it."""
    words = {item.text for item in reader.items}
    text = " ".join(item.text for item in reader.items if item.text != "-")
    objective = any(
        choice.startswith("losses.policy.objective=")
        for item in reader.items
        for choice in item.names("choice")
    )
    if (
        name == "ppo"
        and not objective
        and any(
            item.names("quantity") == ["kl_weight"] and not reader.negated(at)
            for at, item in enumerate(reader.items)
        )
    ):
        return "ppo-kl-adaptive" if "adaptive" in words else "ppo-kl"
    if name == "reinforce" and "vanilla" in text and "adaptive" in words:
        return "vpg-adaptive"
    if name in ("reinforce", "reinforce-to-go", "reinforce-baseline"):
        mean = r"\b(mean|constant|average|batch)\b"
        if re.search(rf"{mean}[\w ]{{0,12}}\bbaseline|\bbaseline [\w= ]{{0,8}}{mean}", text):
            return "reinforce-mean-baseline"
        if re.search(r"(?<!no )(?<!without )(?<!without a )\bbaseline", text):
            return "reinforce-baseline"
        if re.search(r"rewards? to go", text):
            return "reinforce-to-go"
    return name


def names_a_task(reader: Request, at: int) -> bool:
    """Whether a word that may be a game is one here: `on Tennis`, `Tennis of Atari`."""
    before = [i.text for i in reader.items[max(0, at - 2) : at]]
    atari = any(item.text in ("atari", "ale", "arcade") for item in reader.items)
    return atari or bool(_UNKNOWN_AFTER & set(before))


def note_unknown_environment(reader: Request) -> None:
    """Say which environment is meant that does not exist here, or that none is named."""
    kept = f"{STAND_IN} stands in"
    elsewhere = [item for item in reader.items if item.names("elsewhere")]
    for item in elsewhere:
        reader.note("cannot", item, f"gymnasium has no such environment here; {kept}")
    if elsewhere or any(
        note.text.startswith("gymnasium has no") or kept in note.text
        for note in reader.reading.notes
    ):
        return
    for at, item in enumerate(reader.items):
        run: list[Item] = []
        for other in reader.items[at + 1 : at + 4]:
            article = other.text in ("the", "a", "an", "my", "our") and not run
            if other.is_word and not other.meanings and not article:
                run.append(other)
            elif not article:
                break
        if item.text in _UNKNOWN_AFTER and run and any(len(o.text) > 2 for o in run):
            text = f"no environment of this name; {kept}. `ppoc draft` knows gymnasium's"
            reader.note("question", run[0], text, run[-1])
            return
    reader.note("question", Item(0, 0, ""), f"which environment? None is named, and {kept}")


def read_choices(reader: Request) -> None:
    """Claim words that stand for one value of a field."""
    for at, item in enumerate(reader.items):
        for name in item.names("choice"):
            path, _, word = name.partition("=")
            value = _LITERALS.get(word, word)
            entry = glossary().data["choices"][path]
            after = reader.items[at + 1 : at + 2]
            if any(i.cue("instead") for i in reader.items[max(0, at - 2) : at]) or any(
                i.text == "replaced" for i in after
            ):
                continue  # relu instead of tanh, tanh replaced by relu
            if reader.negated(at) and not item.text.startswith(
                ("no", "without", "never", "don", "do")
            ):
                continue
            if path.endswith("deterministic") and word == "True" and reader.negated(at):
                continue
            if _is_refined(reader, path, str(word), item):
                continue
            problem = takes(path, value)
            if problem is not None:
                reader.note("cannot", item, f"`{path}`: {problem}")
                continue
            paths = [path]
            if path == "optimizer.actor.kind":
                paths = ["optimizer.critic.kind"] if reader.role(at) == "critic" else [path]
            elif entry.get("per_role") and ("policy" not in item.text or is_memory(item)):
                paths = both_roles(reader, path, at)
            for each in paths:
                reader.claim(each, value, item, item)


def _is_refined(reader: Request, path: str, value: str, item: Item) -> bool:
    """Whether `from pixels` or `recurrent` stands beside a kind by name: `impala cnn`, `gru`."""
    if path not in ("networks.actor.body", "networks.actor.memory.kind"):
        return False
    if value.partition("-")[0] in item.text:
        return False
    others = [(o, n) for o in reader.items if o is not item for n in o.names("choice")]
    return any(
        name.startswith(f"{path}=") and name.partition("=")[2].partition("-")[0] in other.text
        for other, name in others
    )


def read_switches(reader: Request) -> None:
    """Claim what is turned on or off."""
    sharing = any("networks.critic.share" in item.names("switch") for item in reader.items)
    for at, item in enumerate(reader.items):
        for path in item.names("switch"):
            negated = reader.negated(at)
            if path == "networks.critic":
                if negated and not sharing and _directly_negated(reader, at):
                    reader.claim(path, None, reader.items[at - 1], item)
            elif path == "networks.critic.share":
                if item.length > 1 or _about_networks(reader, at):
                    reader.claim(path, None if negated else "actor", item, item)
            else:
                reader.claim(path, not negated, item, item)
                if at and reader.items[at - 1].text in ("and", "or", ",", "und", "et", "y"):
                    for other, place in _row(reader.items, range(at - 1, -1, -1)):
                        reader.claim(other, not negated, place, item)


def _directly_negated(reader: Request, at: int) -> bool:
    before = reader.items[max(0, at - 2) : at]
    following = reader.items[at + 1] if at + 1 < len(reader.items) else None
    noun = (
        following is not None and following.is_word and following.clause == reader.items[at].clause
    )
    return any(i.cue("negation") for i in before) and not (
        noun and following and following.meanings
    )


def _about_networks(reader: Request, at: int) -> bool:
    near = (i for i in reader.items if i.sentence == reader.items[at].sentence)
    return any(i.cue("actor", "critic", "network") or i.quantity("layers") for i in near)


def read_normalization(reader: Request) -> None:
    """Claim what is normalised and what is not; the verb stands before or after its objects."""
    for at, item in enumerate(reader.items):
        if item.cue("normalize"):
            found = _objects(reader, at)
            on = not reader.negated(at, 6)
            for path, other in found:
                reader.claim(path, on, other, item)
    for at, item in enumerate(reader.items):
        if item.cue("alone"):
            for other in reader.items[max(0, at - 3) : at]:
                for path in other.names("object"):
                    reader.claim(path, False, other, item)


def _objects(reader: Request, at: int) -> list[tuple[str, Item]]:
    """The objects of one mention of normalising."""
    items = reader.items
    after = _row(items, range(at + 1, len(items)))
    before = _row(items, range(at - 1, -1, -1))
    noun = items[at].text.endswith(("ation", "ierung", "ación"))
    text = items[at].text
    chosen = (before or after) if noun else (after or before)
    if chosen:
        return chosen
    sentence = [i for i in items[:at] if i.sentence == items[at].sentence and i.names("object")]
    if sentence and not noun:
        return [(path, sentence[-1]) for path in sentence[-1].names("object")]
    near = [i for i in items[at + 1 : at + 3] if i.cue("everything")]
    if near or noun or text:
        both = ("env.normalize.observations", "env.normalize.rewards")
        return [(path, near[0] if near else items[at]) for path in both]
    return []


def _row(items: list[Item], indices: range) -> list[tuple[str, Item]]:
    """Objects one after the other, joined by `and` and articles."""
    found: list[tuple[str, Item]] = []
    for i in indices:
        item = items[i]
        if item.names("object"):
            found += [(path, item) for path in item.names("object")]
            continue
        joining = item.text in ("and", "or", "und", "et", "y", "both", "too") or item.cue("link")
        if not joining and not (item.text == "," and found):
            break
    return found


def read_schedules(reader: Request) -> None:
    """Claim which rate or range falls, and which stays."""
    cues = {"decay": "linear", "cosine": "cosine", "constant": "constant", "adaptive": "adaptive"}
    for at, item in enumerate(reader.items):
        for cue, value in cues.items():
            if not item.cue(cue):
                continue
            term = _scheduled(reader, at, near=cue == "constant")
            if term is None:
                continue
            name, place = term
            path = glossary().data["schedulable"][name]
            if name == "lr" and reader.role(at) == "critic":
                path = path.replace(".actor.", ".critic.")
            if reader.negated(at):
                value = "constant"
            problem = takes(path, value)
            if problem is None:
                reader.claim(path, value, place, item)
            else:
                reader.note("cannot", item, f"`{path}`: {problem}")


def _scheduled(reader: Request, at: int, near: bool) -> tuple[str, Item] | None:
    """The quantity that a word such as `linearly` is about."""
    items, item = reader.items, reader.items[at]
    names = glossary().data["schedulable"]
    if re.search(r"\blr\b|learning rate", item.text):
        return "lr", item

    def of(candidates: list[Item]) -> tuple[str, Item] | None:
        for other in candidates:
            for name in other.names("quantity"):
                if name in names:
                    return name, other
        return None

    if near:
        return of([i for i in items[max(0, at - 4) : at + 4] if i.clause == item.clause])
    following = [i for i in items[at + 1 : at + 5] if i.clause == item.clause]
    joined = following if all(not i.number for i in following) else []
    before = [i for i in reversed(items[:at]) if i.clause == item.clause]
    earlier = [i for i in reversed(items[:at]) if i.sentence == item.sentence]
    later = [i for i in items[at + 1 :] if i.sentence == item.sentence]
    verb = item.text in ("anneal", "decay") or item.text.startswith("linear ")
    order = [joined, before, earlier, later] if verb else [before, joined, earlier, later]
    return next((found for found in map(of, order) if found), None)


def read_unsupported(reader: Request) -> None:
    """Note what ppoc cannot do, once each, with what is nearest."""
    seen = set()
    for at, item in enumerate(reader.items):
        for name in item.names("unsupported"):
            if name in seen or reader.negated(at, 3):
                continue
            seen.add(name)
            why = glossary().data["unsupported"][name]["why"]
            reader.note("cannot", item, why if name in item.text else f"{name}: {why}")
