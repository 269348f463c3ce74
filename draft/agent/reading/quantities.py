"""Numbers and their quantities as claims: of a role, of a sweep, of several seeds."""

from typing import Any

from ppoc.draft.agent.fields import is_whole, preset_values, takes
from ppoc.draft.agent.reading.networks import both_roles
from ppoc.draft.agent.request import Request
from ppoc.draft.text.claims import Claim
from ppoc.draft.text.glossary import glossary
from ppoc.draft.text.items import Item

MANY_SEEDS = 100
SHORTEST = 1000  # steps of a run, unless it is to train `for` fewer
FEW_STEPS = 5000  # fewer are no run where environments are counted beside them
EVERY_WHAT = "every so many steps what? say `evaluate every` or `save a checkpoint every`"


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
    item, name = reader.items[term], best_of(reader, term, numbers[0])
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


def best_of(reader: Request, term: int, number: int | None = None) -> str:
    """The quantity that a term stands for: of several, one that the number is usual for."""
    names = reader.items[term].names("quantity")
    at = number if number is not None else reader.attached.get(term, [None])[0]
    usual = [n for n in names if at is not None and is_usual(n, reader.items[at])]
    return (usual or names)[0]


def is_usual(name: str, item: Item) -> bool:
    """Whether a number is in the range that is usual for a quantity."""
    low, high = glossary().data["quantities"][name]["usual"]
    return item.number is not None and not item.number.many and low <= item.number.value <= high


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
    taken: list[Any] = []
    for value in values:
        exact: Any = int(value) if path and is_whole(path) and value.is_integer() else value
        problem = takes(path, exact) if path else "it cannot be swept"
        if problem is not None:
            reader.note("cannot", first, f"`{path}` cannot be {value:g}: {problem}", last)
        else:
            taken.append(exact)
            reader.note("run", first, f"ppoc run SPEC -s {path}={exact!r}", last)
    if path is not None and len(taken) > 1:
        reader.reading.several.append(Claim(path, taken, first.start, last.end))
