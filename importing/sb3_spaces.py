"""Spaces that a model was trained with, which its file prints, against those of an environment.

Parameters that fit do not tell an environment's actions from another's of as many: bounds, choices
and the order of keys are compared too.
"""

import contextlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.importing.sb3_file import refusal
from ppoc.importing.sb3_weights import Pixels
from ppoc.runtime.envs.single import make_one

LAYOUT = ("Flatten", "ChannelsFirst", "StackFrames", "AppendActionMask")  # layers of ppoc's own
KINDS = {
    "Discrete": "discrete",
    "MultiDiscrete": "multi-discrete",
    "MultiBinary": "binary",
    "Box": "continuous",
}
NUMBER = r"[-+]?(?:inf|nan|\d+\.?\d*(?:e[-+]?\d+)?|\.\d+)"
HELP = "give the --env it was trained in, and its wrappers with -s env.…"
LARGEST_PIXEL = 255


def is_image(space: Any) -> bool:
    """Whether Stable-Baselines3 takes the observations of a printed space for an image."""
    if not isinstance(space, dict):
        return False
    shape = _shape(space)
    bounds = [_numbers(space.get(key)) for key in ("low", "high")]
    bytes_ = space.get("dtype") == "uint8" and len(shape) == 3
    return bytes_ and set(bounds[0]) == {0.0} and set(bounds[1]) == {float(LARGEST_PIXEL)}


def check_actions(space: Any, facts: EnvFacts) -> None:
    """Compare the actions that the model chooses with those that the environment takes.

    Raises:
        SpecError: E903, they differ.
    """
    space = _printed(space, "actions")
    kind = KINDS.get(_name(space), "")
    if kind != facts.action_kind:
        message = f"the model's actions are {_name(space)}, those of {facts.env_id} are not"
        raise refusal(message, HELP)
    if any(_numbers(space.get("start"))):
        message = "the model's actions do not start at 0, but Stable-Baselines3 gives those from 0"
        raise refusal(message, HELP)
    if kind == "continuous":
        _check_bounds(space, facts)
        return
    theirs = _numbers(space.get("nvec") if kind == "multi-discrete" else space.get("n"))
    ours = facts.choices if kind == "multi-discrete" else (facts.action_size,)
    if kind != "binary" and tuple(theirs) != ours:
        message = f"the model has {_listed(theirs)} actions, {facts.env_id} {_listed(ours)}"
        raise refusal(message, HELP)


def check_observations(space: Any, facts: EnvFacts, stack: int) -> Pixels:
    """Compare the observations that the model sees with those that the environment gives.

    Args:
        stack: observations that the agent sees at once.

    Returns: how pixels differ, without their scale.

    Raises:
        SpecError: E903, they differ.
    """
    space = _printed(space, "observations")
    if any(_numbers(space.get("start"))):
        raise refusal("the model's observations are choices that do not start at 0", HELP)
    if facts.backend != "gymnasium":
        return Pixels()
    ours = _own(facts)
    name = type(ours).__name__
    if _name(space) == "Dict" or name == "Dict":
        _check_keys(space, ours)
        return Pixels()
    shape, seen = _shape(space), tuple(ours.shape or ())
    if _name(space) != name and len(shape) != 1:
        raise refusal(f"the model's observations are {_name(space)}, here they are {ours}", HELP)
    if is_image(space):
        turned = len(seen) == 3 and shape == (seen[2] * stack, *seen[:2])
        whole = len(seen) == 3 and shape == (seen[0] * stack, *seen[1:])
        if not (turned or whole or facts.images) or (stack > 1 and not facts.images):
            raise refusal(f"the model sees images of {list(shape)}, here they are {ours}", HELP)
        return Pixels(shape=() if facts.images or whole else shape)
    if len(shape) > 1 and shape != seen:
        raise refusal(f"the model's observations are of {list(shape)}, here they are {ours}", HELP)
    return Pixels()


def _own(facts: EnvFacts) -> Any:
    """The observation space of the environment, before ppoc lays observations out."""
    layers = tuple(layer for layer in facts.wrappers if layer[0] not in LAYOUT)
    try:
        env = make_one(facts.env_id, facts.options, layers, facts.package)
    except Exception as error:  # an environment's constructor may raise anything
        message = f"{facts.env_id} cannot be made again to look at its observations"
        raise refusal(f"{message}: {type(error).__name__}: {error}"[:300], HELP) from error
    with contextlib.closing(env):
        return env.observation_space


def _check_keys(space: Mapping[str, Any], ours: Any) -> None:
    theirs = re.findall(r"'([^']*)'(?:: |, )(?=[A-Z]\w*\()", str(space.get("spaces", "")))
    keys = list(getattr(ours, "spaces", {})) if type(ours).__name__ == "Dict" else []
    flat = _name(space) == "Box" and len(_shape(space)) == 1  # flattened before the model saw it
    if not flat and theirs != keys:
        raise refusal(
            f"the model's observations are a dictionary of {_listed(theirs)}, in that order; here "
            f"they are {_listed(keys) if keys else ours}",
            HELP,
        )


def _check_bounds(space: Mapping[str, Any], facts: EnvFacts) -> None:
    """Bounds are printed with eight digits, and of many actions only the first and the last."""
    for key, own in (("low", facts.action_low), ("high", facts.action_high)):
        if "..." in str(space.get(key)):
            continue
        theirs = _numbers(space.get(key))
        if len(theirs) != len(own) or not np.allclose(theirs, own, rtol=1e-5, atol=1e-6):
            raise refusal(
                f"the model's actions have the bounds {key} = {_listed(theirs)}, those of "
                f"{facts.env_id} {_listed(own)}: actions would differ",
                HELP,
            )


def _printed(space: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(space, dict) or ":type:" not in space:
        raise refusal(f"the file does not say which {what} the model has")
    return space


def _name(space: Mapping[str, Any]) -> str:
    return str(space.get(":type:")).rpartition(".")[2].rstrip("'>")[:40]


def _shape(space: Mapping[str, Any]) -> tuple[int, ...]:
    shape = space.get("_shape")
    valid = isinstance(shape, list) and all(type(side) is int for side in shape)
    return tuple(shape) if valid and isinstance(shape, list) else ()


def _numbers(value: Any) -> list[float]:
    """The numbers in a printed array, or one number."""
    return [float(number) for number in re.findall(NUMBER, str(value))]


def _listed(values: Any) -> str:
    text = ", ".join(f"{x:g}" if isinstance(x, int | float) else str(x) for x in values)
    return text if len(text) <= 100 else f"{text[:97]}..."
