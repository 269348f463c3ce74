"""Numbers and their quantities as claims: roles, sweeps, seeds, corrections, numbers left over."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from ppoc.draft.agent.fields import is_whole, preset_values, takes
from ppoc.draft.agent.lexer import Item
from ppoc.draft.agent.reading.networks import both_roles
from ppoc.draft.agent.reading.relations import Proportion, scaled
from ppoc.draft.agent.request import Request
from ppoc.draft.text.claims import Claim
from ppoc.draft.text.glossary import glossary

MANY_SEEDS = 100
SHORTEST = 1000  # steps of a run, unless it is to train `for` fewer
FEW_STEPS = 5000  # fewer are no run where environments are counted beside them
EVERY_WHAT = "every so many steps what? say `evaluate every` or `save a checkpoint every`"
LOST = "this number belongs to nothing that ppoc knows"
NUMBERED = {"figure", "fig", "table", "section", "eq", "algorithm", "version"}
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

AMISS = VAGUE | {"few", "many", "much", "little", "short", "long", "slow", "fast"}


class Share:
    """A number of minibatches, until the size of a rollout is known."""

    def __init__(self, count: int) -> None:
        self.count = count


class PerEnvironment:
    """Steps of each environment, until their number is known."""

    def __init__(self, steps: int) -> None:
        self.steps = steps


def read_quantity(reader: Request, term: int, numbers: list[int]) -> None:
    """Claim what the numbers of a term say."""
    item, name = reader.items[term], _best(reader, term, numbers[0])
    first = reader.items[numbers[0]]
    if name in ("seeds", "seed"):
        _seeds(reader, name, term, numbers)
    elif name == "nothing":
        reader.note("question", item, EVERY_WHAT, first)
    elif name in ("layers", "units"):
        reader.note("question", item, "sizes of a network are written as 2 layers of 64", first)
    elif name == "evaluation_episodes" and not _about_evaluation(reader, term):
        text = "training is counted in environment steps, not episodes: give training.total_steps"
        reader.note("cannot", first, text, item)
    else:
        values = [v for i in numbers for v in _values(reader.items[i])]
        distinct = list(dict.fromkeys(values))
        if len(distinct) > 1:
            _sweep(reader, name, term, numbers, distinct)
        else:
            claim_number(reader, name, term, numbers[0])


def _best(reader: Request, term: int, number: int | None = None) -> str:
    """The quantity that a term stands for: of several, one that the number is usual for."""
    names = reader.items[term].names("quantity")
    at = number if number is not None else reader.attached.get(term, [None])[0]
    usual = [n for n in names if at is not None and _is_usual(n, reader.items[at])]
    return (usual or names)[0]


def _values(item: Item) -> tuple[float, ...]:
    number = item.number
    return (number.many or (number.value,)) if number is not None else ()


def _about_evaluation(reader: Request, term: int) -> bool:
    if "eval" in reader.items[term].text or "test" in reader.items[term].text:
        return True
    near = (i for i in reader.items if i.sentence == reader.items[term].sentence)
    return any(i.cue("evaluation") or "eval" in i.text for i in near)


def path_for(reader: Request, name: str, at: int) -> str | None:
    """The path of a quantity, of the critic where the words around an item are about it."""
    path = reader.path_of(name)
    per_role = glossary().data["quantities"][name].get("per_role")
    if path is not None and per_role and reader.role(at) == "critic":
        path = path.replace(".actor.", ".critic.")
    return path


def claim_number(reader: Request, name: str, term: int, at: int) -> None:
    """Claim one number for one quantity, or note why it cannot be."""
    item, place = reader.items[at], reader.items[term]
    number = item.number
    path = path_for(reader, name, at if reader.role(at) else term)
    if number is None or path is None:
        return
    if name in ("buffer_rollouts", "buffer_clip") and not _has_buffer(reader):
        text = f"{reader.algorithm} keeps no earlier rollouts; nearest: off-policy, ppo-lecture"
        first, last = sorted((item, place), key=lambda i: i.start)
        reader.note("cannot", first, text, last)
        return
    value: Any = number.value
    if name == "total_steps" and _is_of_a_rollout(reader, at):
        name, path = "steps_per_env", "update.rollout_steps"
    elif name == "total_steps" and 0 < value < SHORTEST and not _follows(reader, at, "for"):
        first, last = sorted((item, place), key=lambda i: i.start)
        reader.note("question", first, "too few steps for a run; steps of what?", last)
        return
    if is_whole(path) and value.is_integer():
        value = int(value)
    entry = glossary().data["quantities"][name]
    problem = takes(path, value)
    if name == "minibatches":
        problem = takes("update.epochs", value)  # a count, from 1
    if problem is not None:
        first, last = sorted((item, place), key=lambda i: i.start)
        reader.note("cannot", first, f"`{path}` cannot be {value:g}: {problem}", last)
        return
    if name == "minibatches":
        value = Share(value)
    elif name == "steps_per_env":
        value = PerEnvironment(value)
    for each in both_roles(reader, path, at) if entry.get("both") else [path]:
        reader.claim(each, value, place, item)


def _follows(reader: Request, at: int, word: str) -> bool:
    before = reader.items[at - 1] if at else None
    return before is not None and before.text == word


def _has_buffer(reader: Request) -> bool:
    values = reader.known or preset_values(reader.algorithm)
    return values.get("update.buffer", 0) is not None


def _is_of_a_rollout(reader: Request, at: int) -> bool:
    """Whether `16 envs, 128 steps` means those of each environment: too few for a whole run."""
    item = reader.items[at]
    if item.number is None or item.number.value >= FEW_STEPS:
        return False
    clause = [i.text for i in reader.items[max(0, at - 4) : at + 2] if i.clause == item.clause]
    said = [reader.items[t] for t in reader.attached]
    if any(i.quantity("rollout_steps", "steps_per_env") for i in said):
        return False
    envs = any(i.quantity("num_envs") for i in said)
    return envs and not {"for", "total", "train", "training", "learn", "only"} & set(clause)


def _seeds(reader: Request, name: str, term: int, numbers: list[int]) -> None:
    items = reader.items
    values = [v for i in numbers for v in _values(items[i])]
    first, last = sorted((items[term], items[numbers[-1]]), key=lambda i: i.start)
    if any(not v.is_integer() or takes("training.seed", int(v)) for v in values):
        reader.note("cannot", first, "a seed is a whole number from 0 below 2³¹", last)
        return
    seeds = [int(v) for v in values]
    if len(numbers) == 1 and len(seeds) == 2 and "-" in items[numbers[0]].text:
        seeds = list(range(seeds[0], min(seeds[1], seeds[0] + MANY_SEEDS) + 1))
    if name == "seeds" and len(seeds) == 1 and numbers[0] < term:
        if not 1 <= seeds[0] <= MANY_SEEDS:
            reader.note("cannot", first, f"between 1 and {MANY_SEEDS} seeds, please", last)
            return
        seeds = list(range(1, seeds[0] + 1))
    if len(seeds) == 1 and name == "seed":
        reader.claim("training.seed", seeds[0], first, last)
        return
    for seed in seeds:
        reader.note("run", first, f"ppoc run SPEC --seed {seed}", last)


def _sweep(reader: Request, name: str, term: int, numbers: list[int], values: list[float]) -> None:
    path = path_for(reader, name, term)
    first, last = sorted((reader.items[term], reader.items[numbers[-1]]), key=lambda i: i.start)
    for value in values:
        exact: Any = int(value) if path and is_whole(path) and value.is_integer() else value
        problem = takes(path, exact) if path else "it cannot be swept"
        if problem is not None:
            reader.note("cannot", first, f"`{path}` cannot be {value:g}: {problem}", last)
        else:
            reader.note("run", first, f"ppoc run SPEC -s {path}={exact!r}", last)


def replaced_numbers(reader: Request) -> None:
    """`five epochs are not enough, use 15`: a number turned down gives way to the one after it."""
    items = reader.items
    for term, numbers in list(reader.attached.items()):
        at = numbers[0]
        if len(numbers) > 1 or not _turned_down(items, at):
            continue
        taken = {n for others in reader.attached.values() for n in others}
        later = [n for n in sorted(reader.free) if n > at and _soon(items[at], items[n])]
        again = any(
            other != term and items[other].quantity(*items[term].names("quantity")) and n[0] > at
            for other, n in reader.attached.items()
        )
        reader.free.discard(at)
        if later and later[0] not in taken and not again:
            reader.attached[term] = later[:1]
            continue
        del reader.attached[term]
        reader.settled_terms.add(term)
        if not again:
            first, last = sorted((items[term], items[at]), key=lambda i: i.start)
            reader.note("question", first, "this number is turned down, and no other given", last)


def _soon(first: Item, second: Item) -> bool:
    return second.sentence <= first.sentence + 1


def _turned_down(items: list[Item], at: int) -> bool:
    """Whether a number is said to be too large, not enough, or not to be used."""
    before = items[max(0, at - 3) : at]
    if any(i.cue("negation") for i in before) and before[-1].text in ("use", "take", "want"):
        return True
    after: list[Item] = []
    for item in items[at + 1 : at + 9]:
        if item.number is not None or item.sentence != items[at].sentence:
            break
        after.append(item)
    if any(a.cue("negation") and b.text == "too" for a, b in pairwise(after)):
        return False
    return any(
        (a.cue("negation") and b.text == "enough") or (a.text == "too" and b.text in AMISS)
        for a, b in pairwise(after)
    )


def read_leftovers(reader: Request) -> None:
    """Numbers whose quantity is named elsewhere: a correction, a second role, steps as 500k."""
    for at in sorted(reader.free):
        item = reader.items[at]
        before = reader.items[max(0, at - 6) : at]
        earlier = _claimed_before(reader, item)
        corrects = any(i.cue("correction") for i in before)
        clause = [i for i in reader.items if i.clause == item.clause]
        if (
            item.number is not None
            and item.number.value == 0
            and any(i.cue("decay") for i in clause)
        ):
            continue  # `from 0.2 to 0`
        if earlier is None and reader.role(at) and any(i.quantity("lr") for i in clause):
            earlier = ("lr", at)
        if earlier is not None and (
            corrects or (reader.role(at) and _per_role(earlier[0]) and _is_usual(earlier[0], item))
        ):
            claim_number(reader, *earlier, at)
        elif item.number is not None and _is_length(reader, item):
            how = "a number of this size alone means steps"
            reader.claim("training.total_steps", int(item.number.value), item, item, how)
        elif _is_odd(reader, at):
            reader.note("question", item, LOST)


def _per_role(name: str) -> bool:
    return bool(glossary().data["quantities"][name].get("per_role"))


def _is_usual(name: str, item: Item) -> bool:
    low, high = glossary().data["quantities"][name]["usual"]
    return item.number is not None and not item.number.many and low <= item.number.value <= high


def _claimed_before(reader: Request, item: Item) -> tuple[str, int] | None:
    """The nearest quantity before an item that has a number."""
    found = [(t, n) for t, n in reader.attached.items() if reader.items[t].start < item.start]
    if not found:
        return None
    term = max(found)[0]
    return _best(reader, term), term


def _is_length(reader: Request, item: Item) -> bool:
    number = item.number
    if number is None or number.many or reader.reading.claim("training.total_steps"):
        return False
    return number.scaled and number.value >= 10_000 and number.value.is_integer()


def _is_odd(reader: Request, at: int) -> bool:
    """Whether a number without a term deserves a question: not where it names a thing."""
    item = reader.items[at]
    if not item.text[:1].isdigit() and item.text[:1] not in ".-[":
        return False
    near = [i for i in reader.items if i.clause == item.clause]
    return not any(i.names("unsupported") or i.names("elsewhere") for i in near)


def read_citations(reader: Request) -> None:
    """Years, figures of papers, numbers of machines and of what cannot be are no values."""
    for at in sorted(reader.free):
        number = reader.items[at].number
        before = [i.text for i in reader.items[max(0, at - 3) : at]]
        year = number is not None and 1950 <= number.value <= 2100 and not number.many
        cited = year and bool({"(", "al"} & set(before))
        last = reader.items[at - 1] if at else None
        contrast = last is not None and last.cue("instead")
        contrast = contrast or any(i.cue("machine") for i in reader.items[at + 1 : at + 3])
        if cited or contrast or _of_the_impossible(reader, at) or NUMBERED & set(before[-2:]):
            reader.free.discard(at)


def _of_the_impossible(reader: Request, at: int) -> bool:
    """`a replay buffer of 100000 transitions`: a number of what there is no field for."""
    before = reader.items[at - 1] if at > 1 else None
    if before is not None and before.text in ("of", "=", ":", "at", "size"):
        return bool(reader.items[at - 2].names("unsupported"))
    after = reader.items[at + 1] if at + 1 < len(reader.items) else None
    return after is not None and bool(after.names("unsupported"))


def read_amounts(reader: Request) -> None:
    """Quantities without a number: turned off, or as much as a convention says, or a question."""
    for at, item in enumerate(reader.items):
        if not item.quantity() or at in reader.attached or at in reader.settled_terms:
            continue
        name = _best(reader, at)
        entry = glossary().data["quantities"].get(name, {})
        path = path_for(reader, name, at) if entry else None
        if path is None or reader.reading.claim(path) is not None:
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
            reader.claim(path, amount, reader.items[at - count], item, source)
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
        name = _best(reader, at)
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


def settled(reader: Request) -> list[Claim]:
    """One claim a field: corrections applied, conflicts noted, values given by others computed."""
    by_path: dict[str, Claim] = {}
    for claim in reader.reading.claims:
        earlier = by_path.get(claim.path)
        if earlier is None or _plain_equal(earlier.value, claim.value):
            by_path.setdefault(claim.path, claim)
            continue
        first, second = sorted((earlier, claim), key=lambda c: c.start)
        by_path[claim.path] = second
        base = first.how == f"the zoo's {reader.reading.base}"
        if not base and not _corrected(reader, first, second):
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
