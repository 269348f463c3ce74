"""The inputs and outputs of an exported policy: what its environment gives, and what it takes.

The file itself carries this, `ppoc export` prints it, and a hub's model card shows it.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ppoc.runtime.declared import agent_of
from ppoc.runtime.envs.single import make_one
from ppoc.runtime.envs.vector import EnvironmentFailure, VectorEnv
from ppoc.runtime.interface import Environment

KEY = "interface"  # in the metadata of a file
FILE = "interface.json"
LAYOUT = ("Flatten", "ChannelsFirst", "StackFrames", "AppendActionMask")
SCALED = ("beta", "tanh-gaussian")  # distributions that are within the bounds by themselves
LISTED = 64  # bounds that differ, at most
OBSERVATIONS, MASK, STARTS, STATE = "observations", "action_mask", "starts", "state"
ACTIONS, NEXT_STATE = "actions", "next_state"


class Tensors(NamedTuple):
    """One input or output: N rows of `shape` each."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: Any  # a number, or one for each element, or None where there is no bound
    high: Any
    meaning: str


class Leaf(NamedTuple):
    """A part of an observation that is one array, and its space; parts of a dictionary by key."""

    name: str
    space: Any


class Given(NamedTuple):
    """Observations and actions of an environment, and how ppoc lays them out for networks."""

    space: Any  # of an observation, before ppoc's own layers
    actions: Any
    leaves: tuple[Leaf, ...]
    flattens: bool
    outside: bool  # the caller does so, as the policy cannot
    channels_last: bool
    stack: int  # observations that the policy sees at once, or 0
    masks: int  # components of the mask of actions, or 0
    memory: int  # components of the state, or 0
    choices: tuple[int, ...]  # of each component of an action
    normalizes: bool
    scales: bool  # actions into their bounds, rather than to clip them


def given(module: ModuleType) -> Given:
    """The interface of a module's environment, which is made to look at it.

    Raises:
        EnvironmentFailure: it cannot be made.
    """
    own = agent_of(module)
    policy, layers = own.policy, dict(own.environment.wrappers)
    envs: VectorEnv = own.environment.make(1)
    with closing(envs):
        space = seen = envs.observation_space
        actions = envs.action_space
    if any(name in LAYOUT for name in layers):
        space = _own_space(own.environment)
    memory = policy.memory
    masks = int(layers["AppendActionMask"]["size"]) if "AppendActionMask" in layers else 0
    flattens = "Flatten" in layers
    taken = {ACTIONS, *((STARTS, STATE, NEXT_STATE) if memory else ()), *((MASK,) if masks else ())}
    leaves = tuple(_leaves(space, (), taken)) if flattens else (Leaf(OBSERVATIONS, space),)
    stack = int(layers["StackFrames"]["count"]) if "StackFrames" in layers else 0
    outside = not all(_is_array(leaf.space) for leaf in leaves)
    if outside:  # such as texts: they are no array before they are flattened
        leaves, flattens, stack, masks = (Leaf(OBSERVATIONS, seen),), False, 0, 0
    return Given(
        space,
        actions,
        leaves,
        flattens,
        outside,
        "ChannelsFirst" in layers,
        stack,
        masks,
        memory,
        policy.choices,
        policy.new_normalizer is not None,
        policy.center is not None or policy.distribution in SCALED,
    )


def _own_space(environment: Environment) -> Any:
    """The space of an environment's observations before ppoc lays them out."""
    layers = [x for x in environment.wrappers if x[0] not in (*LAYOUT, "EpisodicLife")]
    try:
        env = make_one(environment.id, environment.options, layers, environment.package)
    except Exception as error:  # an environment's constructor may raise anything
        message = f"cannot make {environment.id}: {type(error).__name__}: {error}"
        raise EnvironmentFailure(message) from error
    with closing(env):
        return env.observation_space


def _leaves(space: Any, path: tuple[str, ...], taken: set[str]) -> Iterator[Leaf]:
    from gymnasium.spaces import Dict, Tuple

    if isinstance(space, Dict | Tuple):
        items = space.spaces.items() if isinstance(space, Dict) else enumerate(space.spaces)
        for key, inner in items:
            yield from _leaves(inner, (*path, str(key)), taken)
        return
    name = ".".join(path) or OBSERVATIONS
    while name in taken:
        name = f"{OBSERVATIONS}.{name}"
    taken.add(name)
    yield Leaf(name, space)


def _is_array(space: Any) -> bool:
    from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

    return isinstance(space, Box | Discrete | MultiBinary | MultiDiscrete)


def dtype_of(space: Any) -> str:
    """The type of an array of a space: its own, but every floating-point number has 32 bits."""
    kind = np.dtype(space.dtype)
    return "float32" if kind.kind == "f" else kind.name


def inputs(env: Given) -> tuple[Tensors, ...]:
    """The inputs of the exported policy, in order."""
    frames = (env.stack,) if env.stack else ()
    found = []
    for leaf in env.leaves:
        shape = (*frames, *(leaf.space.shape or ()))
        meaning = "as the environment gives it"
        if env.outside:
            meaning = f"as ppoc's wrappers lay out {str(env.space)[:200]}, flattened"
        elif frames:
            meaning += f", the latest {env.stack}, oldest first; at a start, the first repeated"
        low, high = _bounds(leaf.space)
        found.append(Tensors(leaf.name, dtype_of(leaf.space), shape, low, high, meaning))
    if env.masks:
        meaning = "true where the action may be taken"
        if env.choices:
            meaning += f"; components of {list(env.choices)} choices one after another"
        found.append(Tensors(MASK, "bool", (env.masks,), False, True, meaning))
    if env.memory:
        meaning = "true where an episode begins"
        found.append(Tensors(STARTS, "bool", (), False, True, meaning))
        meaning = "the memory: zeros at first, then next_state of the step before"
        found.append(Tensors(STATE, "float32", (env.memory,), None, None, meaning))
    return tuple(found)


def outputs(env: Given) -> tuple[Tensors, ...]:
    """The outputs of the exported policy, in order."""
    space = env.actions
    whole = np.dtype(space.dtype).kind in "iub"
    low, high = _bounds(space)
    meaning = "as the environment takes it: the mode of the policy"
    if not whole and (low is not None or high is not None):
        meaning += ", scaled into the bounds" if env.scales else ", clipped to the bounds"
    dtype = "int64" if whole else "float32"
    found = [Tensors(ACTIONS, dtype, tuple(space.shape or ()), low, high, meaning)]
    if env.memory:
        meaning = "the memory after, for the next step"
        found.append(Tensors(NEXT_STATE, "float32", (env.memory,), None, None, meaning))
    return tuple(found)


def remarks(env: Given) -> tuple[str, ...]:
    """Remarks on what is done inside the policy, between its inputs and its outputs."""
    found = []
    if env.flattens:
        order = ", ".join(leaf.name for leaf in env.leaves)
        found.append(f"inside: parts are flattened to one vector, in the order {order}")
    if env.channels_last:
        found.append("inside: channels are put first")
    normalized = "observations are normalised" if env.normalizes else "nothing is normalised"
    scaled = any(leaf.space.dtype == np.uint8 for leaf in env.leaves) and not env.flattens
    found.append(f"inside: {normalized}" + (", and pixels are scaled" if scaled else ""))
    return tuple(found)


def document(env: Given, env_id: str) -> str:
    """The interface as JSON."""
    values = {
        "format": 1,
        "environment": env_id,
        "inputs": [tensors._asdict() for tensors in inputs(env)],
        "outputs": [tensors._asdict() for tensors in outputs(env)],
        "remarks": remarks(env),
        "normalized_inside": env.normalizes,
        "frames": env.stack or 1,
        "masks": bool(env.masks),
        "memory": env.memory,
    }
    return json.dumps(values, indent=2, allow_nan=False)


def lines(env: Given) -> list[str]:
    """The interface in lines of text."""
    return [
        *(f"input {_line(tensors)}" for tensors in inputs(env)),
        *(f"output {_line(tensors)}" for tensors in outputs(env)),
        *remarks(env),
    ]


def _line(tensors: Tensors) -> str:
    shape = ", ".join(["N", *map(str, tensors.shape)])
    ends = [_end(bound, pick) for bound, pick in ((tensors.low, min), (tensors.high, max))]
    limits = "" if tensors.dtype == "bool" else f", {ends[0] or '-∞'} to {ends[1] or '∞'}"
    return f"{tensors.name}: {tensors.dtype} [{shape}]{limits}; {tensors.meaning}"


def _end(bound: Any, pick: Any) -> str:
    values = bound if isinstance(bound, list) else [bound]
    return "" if None in values else f"{pick(values):g}"


def _bounds(space: Any) -> tuple[Any, Any]:
    """The smallest and the largest value, as numbers or lists; None for one without a bound."""
    from gymnasium.spaces import Box, Discrete, MultiBinary

    if isinstance(space, Box):
        return _plain(space.low), _plain(space.high)
    if isinstance(space, Discrete):
        return int(space.start), int(space.start + space.n - 1)
    if isinstance(space, MultiBinary):
        return 0, 1
    start = np.asarray(getattr(space, "start", 0))
    return _plain(start + np.zeros_like(space.nvec)), _plain(start + space.nvec - 1)


def _plain(bound: Any) -> Any:
    values = np.asarray(bound).ravel()
    whole = values.dtype.kind in "iub"
    numbers = [(int(x) if whole else float(x)) if np.isfinite(x) else None for x in values]
    if len(set(numbers)) == 1:
        return numbers[0]
    if len(numbers) <= LISTED:
        return numbers
    known = [number for number in numbers if number is not None]
    return [min(known), max(known)] if len(known) == len(numbers) else None
