"""`ppoc diff`: what two specs mean differently, whatever their texts look like."""

from typing import Any, NamedTuple

from ppoc.compiler.front.spec import ResolvedSpec


class Difference(NamedTuple):
    """A key whose value differs, with where each value comes from."""

    path: str
    left: Any
    left_origin: str
    right: Any
    right_origin: str


def differences(left: ResolvedSpec, right: ResolvedSpec) -> list[Difference]:
    """The keys in which two specs differ in meaning, in the order of the language.

    Names of specs, presets and versions are no meaning of their own: what a preset sets is compared
    value by value.
    """
    values = [_leaves(spec.spec.model_dump(mode="json", by_alias=True)) for spec in (left, right)]
    found = []
    for path in dict.fromkeys([*values[0], *values[1]]):
        if path[0] in ("name", "algorithm", "lock"):
            continue
        a, b = (side.get(path, "absent") for side in values)
        if a != b:
            origins = [spec.origin(path).label() for spec in (left, right)]
            found.append(Difference(".".join(path), a, origins[0], b, origins[1]))
    return found


def _leaves(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(value, dict) or not value:
        return {path: value}
    rows: dict[tuple[str, ...], Any] = {}
    for key, item in value.items():
        rows.update(_leaves(item, (*path, key)))
    return rows
