"""Parameters of a Stable-Baselines3 policy as those of a compiled spec.

Where the two act differently on the same parameters, these change so that the actions stay.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ppoc.importing.sb3_file import refusal

EXPLN_EPSILON = 1e-6  # of Stable-Baselines3's expln
INDEX = r"[0-9]{1,3}"


class Pixels(NamedTuple):
    """How the observations that a model was trained on become those that ppoc's networks see."""

    scale: float = 1.0  # of the first layer's weights
    shape: tuple[int, ...] = ()  # [C, H, W] there, where a first linear layer here sees [H, W, C]


def widths(weights: Mapping[str, Tensor], net: str) -> list[int]:
    """Widths of the hidden layers of the policy's or the value's network, shared ones first.

    Args:
        net: policy or value.
    """
    return [len(weights[f"{name}.weight"]) for name in _hidden(weights, net)]


def renamed(weights: Mapping[str, Tensor], *, shared: bool, expln: bool) -> dict[str, Tensor]:
    """Parameters by ppoc's names.

    Args:
        shared: actor and critic have the same convolutions.
        expln: log σ goes through Stable-Baselines3's expln.

    Raises:
        SpecError: E903, a parameter is of nothing that ppoc knows.
    """
    pairs = _names(weights, shared=shared)
    found = {ours: weights[theirs].float() for ours, theirs in pairs}
    extra = sorted(set(weights) - {theirs for _, theirs in pairs})
    read = [weights[theirs] for _, theirs in pairs]
    # A layer of shared features has up to three names there.
    extra = [
        name
        for name in extra
        if "features_extractor." not in name or not any(torch.equal(weights[name], x) for x in read)
    ]
    if extra:
        raise refusal(f"the model has parameters that are not known: {', '.join(extra)[:200]}")
    if "log_std" in found:
        found["log_std"] = _log_std(found["log_std"], found, expln=expln)
    return found


def as_seen(found: Mapping[str, Tensor], pixels: Pixels) -> dict[str, Tensor]:
    """Parameters by ppoc's names, of networks that see pixels as ppoc gives them."""
    first = {name for name in found if name.endswith(".conv.0.weight")}
    first = first or {"actor.0.weight", "critic.0.weight"}
    return {name: _seen(t, pixels) if name in first else t for name, t in found.items()}


def _hidden(weights: Mapping[str, Tensor], net: str) -> list[str]:
    """Names of the hidden layers, in order; old models have some that both networks share."""
    names = []
    for part in ("shared", net):
        layers = [
            re.fullmatch(rf"mlp_extractor\.{part}_net\.({INDEX})\.weight", n) for n in weights
        ]
        indices = sorted(int(layer[1]) for layer in layers if layer)
        names += [f"mlp_extractor.{part}_net.{index}" for index in indices]
    return names


def _names(weights: Mapping[str, Tensor], *, shared: bool) -> list[tuple[str, str]]:
    """ppoc's name of each parameter, and Stable-Baselines3's."""
    pairs = []
    bodies = {"body": ""} if shared else {"actor": "pi_", "critic": "vf_"}
    for ours, prefix in bodies.items():
        theirs = f"{prefix}features_extractor."
        if not any(name.startswith(theirs) for name in weights):
            theirs = "features_extractor."  # older models have the one that both share by one name
        for name in weights:
            part = re.fullmatch(rf"{theirs}(cnn\.({INDEX})|linear\.0)\.(weight|bias)", name)
            if part:
                inner = f"conv.{int(part[2]) // 2}" if part[2] else "features"
                pairs.append((f"{ours}.{inner}.{part[3]}", name))
    for net, head, ours in (("policy", "action_net", "actor"), ("value", "value_net", "critic")):
        layers = [*_hidden(weights, net), head]
        for index, layer in enumerate(layers):
            kinds = [kind for kind in ("weight", "bias") if f"{layer}.{kind}" in weights]
            pairs += [(f"{ours}.{index}.{kind}", f"{layer}.{kind}") for kind in kinds]
    if "log_std" in weights:
        pairs.append(("log_std", "log_std"))
    return pairs


def _log_std(log_std: Tensor, found: Mapping[str, Tensor], *, expln: bool) -> Tensor:
    """log σ of each action and, with state-dependent exploration, feature: [A] or [F, A]."""
    if log_std.ndim == 2 and log_std.shape[1] == 1:  # there: one for all actions
        last = max(int(name.split(".")[1]) for name in found if re.match(r"actor\.\d+\.bias", name))
        log_std = log_std.expand(-1, len(found[f"actor.{last}.bias"])).contiguous()
    if not expln:
        return log_std
    above = (torch.log1p(log_std.clamp(min=0) + EXPLN_EPSILON) + 1).log()
    return torch.where(log_std > 0, above, log_std)


def _seen(weight: Tensor, pixels: Pixels) -> Tensor:
    if pixels.shape and weight.ndim == 2 and weight.shape[1] == torch.Size(pixels.shape).numel():
        weight = weight.reshape(-1, *pixels.shape).movedim(1, -1).flatten(1).contiguous()
    return weight * pixels.scale if pixels.scale != 1 else weight


def check_shapes(weights: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Compare parameters with those of a compiled spec.

    Raises:
        SpecError: E903, one is missing, of another shape, or there is one more.
    """
    for name, shape in shapes.items():
        theirs = tuple(weights[name].shape) if name in weights else None
        if theirs != shape:
            has = f"is {list(theirs)}" if theirs else "is missing"
            message = f"the model does not fit the environment: {name} {has}, not {list(shape)}"
            help = "give the --env it was trained in, and its preprocessing with -s env.…"
            raise refusal(message, help)
    extra = sorted(set(weights) - set(shapes))
    if extra:
        raise refusal(f"the model has parameters that the spec has not: {', '.join(extra)[:200]}")
