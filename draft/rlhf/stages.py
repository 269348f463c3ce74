"""The steps that a request asks for, and the step that it speaks of at a place."""

import re

from ppoc.draft.rlhf import files
from ppoc.draft.rlhf.request import RlhfRequest
from ppoc.draft.text.items import Item

STAGES = ("sft", "reward", "ppo")


def read(reader: RlhfRequest) -> None:
    """Find the steps to be made, where the request leaves some of them out."""
    named = [(i, item) for i, item in enumerate(reader.items) if item.names("stage")]
    wanted = {
        item.names("stage")[0]: item
        for i, item in reversed(named)
        if not reader.negated(i) and not _is_source(reader, i)
    }
    unwanted = {item.names("stage")[0] for i, item in named if _is_unwanted(reader, i)}
    whole = any(item.names("pipeline") for item in reader.items)
    only = next((item for item in reader.items if item.cue("only")), None)
    if reader.known is not None and not unwanted and only is None:
        return
    if unwanted:
        rest = STAGES if whole or not wanted else tuple(wanted)
        chosen = [stage for stage in STAGES if stage in rest and stage not in unwanted]
    elif whole:
        return
    else:
        chosen = [stage for stage in STAGES if stage in wanted]
        if chosen == ["ppo"] and only is None and not files.starts(reader.items):
            return  # `PPO on …` is the whole of it, unless a run is named
        if chosen == ["reward", "ppo"] and only is None:
            return
        if not chosen and _tuning(reader):
            chosen = ["sft"]
    if chosen and chosen != list(STAGES):
        items = [item for _, item in named] or _tuning(reader)
        reader.stages = chosen
        reader.claim("stages", chosen, items[0], items[-1])


def _is_unwanted(reader: RlhfRequest, at: int) -> bool:
    """Whether a stage is left out; not where something that ppoc lacks is to stand for it."""
    replaced = reader.items[at - 1].text == "instead of" if at else False
    lacking = any(item.names("unsupported") for item in reader.items)
    return reader.negated(at) and not (replaced and lacking)


def _is_source(reader: RlhfRequest, at: int) -> bool:
    """`starting from the policy in runs/sft-1`: a stage that was made before."""
    for other in reader.items[at + 1 : at + 5]:
        if other.names("run"):
            return True
        if other.names("file") or other.names("run_of") or other.names("stage"):
            break
    return False


def _tuning(reader: RlhfRequest) -> list[Item]:
    """`fine-tune GPT-2 on …`, of demonstrations and of nothing else."""
    others = any(i.names("file_of") == ["preferences"] for i in reader.items)
    tune = [i for i in reader.items if re.match(r"(fine|finetun|instruction)", i.text)]
    return tune if tune and not others else []


def of(reader: RlhfRequest, at: int) -> str | None:
    """The stage that an item is about: of its clause, or spoken of before in its sentence."""
    item = reader.items[at]
    own = [
        (i, other.names("stage")[0])
        for i, other in enumerate(reader.items)
        if other.names("stage") and other.sentence == item.sentence
    ]
    following = [(i, stage) for i, stage in own if i > at and reader.items[i].clause == item.clause]
    if following and _is_of(reader, following[0][0], at):
        return following[0][1]
    before = [stage for i, stage in own if i <= at]
    if before:
        return before[-1]
    if following:
        return following[0][1]
    if any(other.cue("policy") and other.clause == item.clause for other in reader.items):
        return "ppo"
    if len(reader.stages) == 1:
        return reader.stages[0]
    return None


def _is_of(reader: RlhfRequest, stage: int, at: int) -> bool:
    """`3 epochs of SFT`, `1e-5 for the reward model`: a stage that what was said is of."""
    between = reader.items[at + 1 : stage]
    links = [i.text for i in between]
    return bool(links) and set(links[-2:]) & {"of", "for", "in", "during"} != set()
