"""Terms told apart by what stands around them: steps of what, batches of what."""

from dataclasses import replace

from ppoc.draft.text.items import Item


def context(items: list[Item]) -> list[Item]:
    """Terms told apart by what stands around them: steps of what, batches of what."""
    found = list(items)
    minibatches = any(i.text.startswith(("minibatch", "mini batch")) for i in items)
    memory = any(map(is_memory, items))
    for at, item in enumerate(items):
        if memory and _is_size_of_memory(items, at):
            found[at] = _relabelled(item, "memory_size")
            continue
        if item.quantity("total_steps"):
            found[at] = _relabelled(item, _steps_of(items, at))
        elif item.quantity("every") and not item.text.startswith(("eval", "test")):
            found[at] = _relabelled(item, _every_what(items, at))
        elif item.quantity("rollout_steps") and _is_per_env(items, at):
            found[at] = _relabelled(item, "steps_per_env")
        elif any(name.startswith("ppo-kl") for name in item.names("algorithm")):
            found[at] = replace(item, meanings=item.meanings | {("quantity", "kl_weight")})
        elif item.text == "rollouts" and _is_count(items, at):
            found[at] = _relabelled(item, "buffer_rollouts")
        elif item.quantity("minibatches") and not _counts(items, at):
            found[at] = _relabelled(item, "minibatch_size")
        elif item.quantity("minibatch_size") and item.text.startswith("batch") and minibatches:
            found[at] = _relabelled(item, "rollout_steps")
        elif item.text in ("value", "vf") and _before_list(items, at):
            found[at] = replace(item, meanings=frozenset({("cue", "critic")}))
        elif item.quantity("minibatch_size") and item.text.startswith("batch"):
            steps = _after_number(items, at)
            if steps is not None and steps.quantity("total_steps", "rollout_steps"):
                found[at] = _relabelled(item, "rollout_steps")
    return found


def is_memory(item: Item) -> bool:
    """Whether a recurrent layer is what it is about."""
    return any(name.startswith("networks.actor.memory.kind") for name in item.names("choice"))


def _is_size_of_memory(items: list[Item], at: int) -> bool:
    """`LSTM(64)`, `an lstm of 128 units`, `a 64-unit GRU`, and the `hidden size` beside one."""
    item = items[at]
    if item.quantity("layers"):
        return item.text in ("hidden size", "hidden dim", "hidden dimension")
    if item.quantity("units"):
        row = [i for i in items[max(0, at - 4) : at + 3] if i.clause == item.clause]
        return any(map(is_memory, row)) and not any(i.quantity("layers") for i in row)
    if not is_memory(item):
        return False
    for i in range(at + 1, min(at + 4, len(items) - 1)):
        if items[i].number is not None:
            return not items[i].number.many and not items[i + 1].quantity()  # type: ignore[union-attr]
        if items[i].clause != item.clause or not (items[i].cue("link") or items[i].text in "(=:"):
            return False
    return False


def _is_count(items: list[Item], at: int) -> bool:
    """`4 rollouts`: how many, not how long."""
    before = items[at - 1].number if at else None
    return before is not None and not before.many and 1 <= before.value <= 100


def _before_list(items: list[Item], at: int) -> bool:
    """`value [64, 64]`, `vf=[64, 64]`, `value lr`."""
    following = [i for i in items[at + 1 : at + 3] if i.text not in "=:"][:1]
    return any(i.quantity("lr") or (i.number is not None and i.number.many) for i in following)


def _relabelled(item: Item, name: str) -> Item:
    others = frozenset(m for m in item.meanings if m[0] != "quantity")
    return replace(item, meanings=others | {("quantity", name)})


def _steps_of(items: list[Item], at: int) -> str:
    """Whether a word for steps means those of the run, a rollout, or one environment in it."""
    around = [i for i in items if i.clause == items[at].clause and i is not items[at]]
    before = [i for i in items[:at] if i.sentence == items[at].sentence]
    if any(i.cue("iteration") for i in around):
        return "steps_per_env" if any(i.cue("each") for i in before) else "rollout_steps"
    after = items[at + 1 : at + 3]
    just_before = [i for i in items[max(0, at - 5) : at] if i.clause == items[at].clause]
    if any(i.cue("each") for i in [*just_before, *after]) or _multiplied(items, at):
        return "steps_per_env"
    if any(i.cue("iteration") for i in after):
        return "rollout_steps"
    return "total_steps"


def _multiplied(items: list[Item], at: int) -> bool:
    """`16 workers x 256 steps`."""
    row = items[max(0, at - 3) : at]
    return len(row) == 3 and row[0].quantity("num_envs") and row[1].cue("times")


def _is_per_env(items: list[Item], at: int) -> bool:
    near = [i for i in items if i.clause == items[at].clause or i in items[at + 1 : at + 3]]
    return any(i.cue("each") for i in near)


def _every_what(items: list[Item], at: int) -> str:
    """The field of "every so many steps": that of the nearest evaluation or checkpoint."""
    before = [i for i in items[:at] if i.sentence == items[at].sentence]
    after = [i for i in items[at + 1 :] if i.sentence == items[at].sentence]
    for item in [*reversed(before), *after]:
        if item.cue("checkpoint"):
            return "checkpoint_every"
        if item.cue("evaluation"):
            return "every"
    return "every" if "eval" in items[at].text else "nothing"


def _counts(items: list[Item], at: int) -> bool:
    """Whether `minibatches` counts them (4 minibatches) or `of` says their size."""
    following = items[at + 1] if at + 1 < len(items) else None
    sized = following is not None and following.text == "of"
    return not sized and items[at].text != "minibatch"


def _after_number(items: list[Item], at: int) -> Item | None:
    """The item after the number that follows a term, link words aside."""
    for i in range(at + 1, min(at + 4, len(items) - 1)):
        if items[i].number is not None:
            return items[i + 1]
        if not items[i].cue("link"):
            return None
    return None
