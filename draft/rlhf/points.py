"""Schedules of points of a stage's rate: `SFT: the rate follows the points [0, 1], [1, 0.1]`."""

from ppoc.draft.rlhf import stages
from ppoc.draft.rlhf.request import RlhfRequest
from ppoc.draft.text.points import pairs


def read_points(reader: RlhfRequest) -> None:
    """Claim the points [progress, factor] that the rate of the stage spoken of follows."""
    for at, item in enumerate(reader.items):
        places = list(pairs(reader.items, at + 1)) if item.cue("points") else []
        if not places:
            continue
        value = [list(reader.items[i].number.many) for i in places]  # type: ignore[union-attr]
        path = f"{stages.of(reader, at) or 'ppo'}.optimizer.schedule"
        reader.claim(path, value, item, reader.items[places[-1]])
        reader.free -= set(places)
