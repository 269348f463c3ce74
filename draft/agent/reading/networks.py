"""Sizes of networks: `two layers of 64`, `2x256`, `[400, 300]`, `actor 64 64`, `64-64 policy`."""

from ppoc.draft.agent.fields import preset_values
from ppoc.draft.agent.request import Request
from ppoc.draft.text.items import Item

DEFAULT_WIDTH, DEFAULT_COUNT = 64, 2  # networks.actor.layers of the language
MOST = 16


def read_layers(reader: Request) -> None:
    """Claim the hidden layers that a request gives."""
    said = [at for at, item in enumerate(reader.items) if item.quantity("layers")]
    for at in said:
        _around_layers(reader, at)
    for at, item in enumerate(reader.items):
        if at in reader.free and item.number is not None and item.number.many:
            _one_token(reader, at)
        elif item.cue("actor", "critic"):
            _after_role(reader, at)
    for at, item in enumerate(reader.items):
        before = at - 1
        while before >= 0 and reader.items[before].names("choice"):
            before -= 1
        if item.quantity("units") and before in reader.free:
            width = _whole(reader.items[before])
            if width is not None:
                how = f"{DEFAULT_COUNT} layers, the default"
                _claim(reader, [width] * DEFAULT_COUNT, before, [before], at, how)


def both_roles(reader: Request, path: str, at: int) -> list[str]:
    """The paths of a value that actor and critic each have: its role's, or both."""
    role = reader.role(at)
    if role is None and at > 1 and reader.items[at - 1].text in ("and", "und", "et", "y"):
        role = reader.role(at - 2)  # `value function with two layers of 128 and relu`
    if role is not None:
        return [path.replace(".actor.", f".{role}.")]
    return [path, path.replace(".actor.", ".critic.")] if has_critic(reader) else [path]


def has_critic(reader: Request) -> bool:
    """Whether the spec has a critic with a network of its own."""
    known = reader.known or preset_values(reader.algorithm)
    if any(item.names("switch") == ["networks.critic.share"] for item in reader.items):
        return False
    return known.get("networks.critic", 0) is not None and not known.get("networks.critic.share")


def _claim(
    reader: Request, layers: list[int], first: int, used: list[int], last: int, how: str = ""
) -> None:
    reader.free -= set(used)
    items = reader.items
    for path in both_roles(reader, "networks.actor.layers", first):
        if all(claim.path != path or claim.value != layers for claim in reader.reading.claims):
            reader.claim(path, layers, items[first], items[last], how)


def _whole(item: Item) -> int | None:
    value = item.number.value if item.number is not None else 0.5
    return int(value) if value.is_integer() and value >= 0 else None


def _one_token(reader: Request, at: int) -> None:
    """2x256, 64-64 and [64, 64], where they can be nothing else."""
    number = reader.items[at].number
    if number is None or not all(v.is_integer() and v > 0 for v in number.many):
        return
    nearby = [i for i in reader.items if i.sentence == reader.items[at].sentence]
    near = [i for i in nearby if abs(i.start - reader.items[at].start) < 40]
    network = any(
        i.quantity("layers", "units") or i.cue("network", "actor", "critic") for i in near
    )
    activation = any("activation" in name for i in near for name in i.names("choice"))
    before = reader.items[at - 1] if at else None
    if before is not None and before.cue("link") and at > 1:
        before = reader.items[at - 2]
    scalar = before is not None and before.quantity() and not before.quantity("layers", "units")
    scalar = scalar and not (number.repeated and number.many[1] >= 8)
    plain = number.repeated and number.many[0] <= MOST and number.many[1] >= 8
    if scalar or not (network or activation or plain):
        return
    layers = [int(v) for v in number.many]
    if number.repeated and layers[0] <= MOST:
        layers = [layers[1]] * layers[0]
    _claim(reader, layers, at, [at], at)


def _around_layers(reader: Request, at: int) -> None:
    """A count before the word `layers`, widths after it."""
    items = reader.items
    count_at = _number_before(reader, at)
    widths = _widths_after(reader, at)
    count = _whole(items[count_at]) if count_at is not None else None
    values = [_whole(items[i]) for i in widths]
    if any(value is None for value in values) or (count is None and not values):
        return
    layers = [value for value in values if value is not None]
    how = ""
    if count is not None and not layers:
        widths = _widths_before(reader, at)
        layers = [width for i in widths if (width := _whole(items[i])) is not None]
    if count is not None and not layers:
        layers, how = [DEFAULT_WIDTH], f"{DEFAULT_WIDTH} units, the default"
    if len(layers) == 1:
        single = items[at].text.endswith(("layer", "schicht", "couche", "capa"))
        times = count if count is not None else 1 if single else DEFAULT_COUNT
        layers = layers * min(times, 10_000)
    elif count is not None and count != len(layers):
        words = "the number of layers and the widths do not agree; taking the widths"
        reader.note("question", items[count_at or at], words, items[widths[-1]])
    used = [*widths, *([count_at] if count_at is not None else [])]
    first, last = min([at, *used]), max([at, *used])
    if last + 1 < len(items) and items[last + 1].quantity("units"):
        last += 1
    _claim(reader, layers, first, used, last, how)


def _number_before(reader: Request, at: int) -> int | None:
    for i in range(at - 1, max(-1, at - 4), -1):
        item = reader.items[i]
        if item.sentence != reader.items[at].sentence:
            return None
        if i in reader.free and item.number is not None and not item.number.many:
            return i
        if item.clause != reader.items[at].clause or item.quantity() or item.text in (":", "="):
            return None
    return None


def _widths_after(reader: Request, at: int) -> list[int]:
    items, found = reader.items, list[int]()
    crossed = False
    for i in range(at + 1, min(at + 12, len(items))):
        item = items[i]
        if item.sentence != items[at].sentence:
            break
        if i in reader.free and item.number is not None:
            if item.number.many:
                break  # one token says all
            another = i + 1 < len(items) and items[i + 1].quantity()
            if crossed and not _then_units(items, i) and (another or not found):
                break
            found.append(i)
        elif found and item.text not in (",", "and", "und", "et", "y"):
            break
        elif item.text == ",":
            crossed = True
        elif not _joins(item):
            break
    return found


def _widths_before(reader: Request, at: int) -> list[int]:
    """`64 units per layer, 3 layers`."""
    for i in range(at - 1, 0, -1):
        item = reader.items[i]
        if item.sentence != reader.items[at].sentence:
            break
        if item.quantity("units") and i - 1 in reader.free:
            return [i - 1]
    return []


def _joins(item: Item) -> bool:
    joining = ("and", "und", "et", "y", "having", "con", "hidden", "(", ")")
    return item.cue("link", "each", "both", "times") or item.text in joining


def _then_units(items: list[Item], at: int) -> bool:
    return any(item.quantity("units") for item in items[at + 1 : at + 4])


def _after_role(reader: Request, at: int) -> None:
    """`actor 64 64`: bare widths after a role."""
    items, found = reader.items, list[int]()
    for i in range(at + 1, min(at + 8, len(items))):
        item = items[i]
        width = _whole(item)
        if i in reader.free and width is not None and item.number is not None:
            if item.number.many:
                return
            found.append(i)
        elif found or not (item.text in ":=(" or item.cue("network", "link")):
            break
    alone = len(found) > 1 and not (found[-1] + 1 < len(items) and items[found[-1] + 1].quantity())
    if alone:
        _claim(reader, [_whole(items[i]) or 0 for i in found], at, found, found[-1])
