"""The environment of an RL Zoo entry: its id, its wrappers, its normalisation."""

import re
from collections.abc import Callable
from typing import Any

from ppoc.compiler.agent.env.probe import package_of
from ppoc.compiler.front.node import Node
from ppoc.importing.entry import Entry

WRAPPERS, NORMALIZE = ("env", "wrappers"), ("env", "normalize")
NO_VELOCITY = re.compile(r"(.+)NoVel-v(\d+)")


def environment(entry: Entry, env_id: str, num_envs: int) -> dict[str, Any]:
    """`env` of an entry for one environment."""
    env: dict[str, Any] = {"id": "", "num_envs": num_envs}
    hidden = NO_VELOCITY.fullmatch(env_id)
    env["id"] = newest(entry, f"{hidden[1]}-v{hidden[2]}" if hidden else env_id)
    if hidden:
        env["wrappers"] = ["MaskVelocity"]
    for name, arguments in _wrappers(entry, "env_wrapper"):
        _wrap(env, name, arguments)
        entry.absorb(arguments)
    for name, arguments in _wrappers(entry, "vec_env_wrapper"):
        _wrap_all(env, name, arguments)
        entry.absorb(arguments)
    if "frame_stack" in entry:
        count = entry.count("frame_stack", 1)
        if "frame_stack" in env:
            expected = "left out beside VecFrameStack, as ppoc stacks once"
            entry.refuse("frame_stack", Node(count), expected)
        env["frame_stack"] = count
    env |= _normalization(entry, env)
    options = entry.section("env_kwargs")
    if options.names():
        env["options"] = options.plain()
    return env


def newest(entry: Entry, env_id: str) -> str:
    """The newest version of an environment where gymnasium has one."""
    import gymnasium
    from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id

    package = package_of(env_id)
    if package is not None:
        entry.note(("env", "id"), f"of the package {package}, which must be installed")
        return env_id
    try:
        namespace, name, own = parse_env_id(env_id)
    except gymnasium.error.Error:
        return env_id  # the checks say what is wrong with it
    found = find_highest_version(namespace, name)
    if own is None or found is None or found <= own:
        return env_id
    newer = get_env_id(namespace, name, found)
    entry.note(("env", "id"), f"{env_id} there; this is its newest version")
    return newer


def _normalization(entry: Entry, env: dict[str, Any]) -> dict[str, Any]:
    """VecNormalize's arguments: `normalize: true`, `normalize_kwargs`, or a mapping of them."""
    node = entry.take("normalize")
    plain = node.value is None or isinstance(node.value, bool)
    inner = entry.section("normalize_kwargs")
    if plain and not node.value:
        inner.leave(NORMALIZE, dict.fromkeys(inner.names(), "`normalize` is not on"))
        entry.absorb(inner)
        return {}
    if not plain:
        inner.leave(NORMALIZE, dict.fromkeys(inner.names(), "`normalize` has arguments itself"))
        entry.absorb(inner)
        inner = entry.section("normalize")
    if "normalize" in env:
        inner.note(NORMALIZE, "VecNormalize and `normalize` both scale there; here, one does")
    values = _normalize(inner)
    entry.absorb(inner)
    return {"normalize": values}


def _normalize(inner: Entry) -> dict[str, Any]:
    """`env.normalize` of VecNormalize's arguments."""
    clip = inner.number("clip_obs", 10.0, above=0)
    clip_reward = inner.number("clip_reward", 10.0, above=0)
    rewards = inner.flag("norm_reward", True)
    if rewards and clip_reward != clip:
        inner.note(NORMALIZE, f"clip_reward {clip_reward:g}: here as clip_obs, {clip:g}")
    for key in ("gamma", "training"):  # the algorithm's own γ; on while training
        inner.take(key)
    values = {
        "observations": inner.flag("norm_obs", True),
        "rewards": rewards,
        "clip": clip,
    }
    inner.leave(NORMALIZE)
    return values


def _wrappers(entry: Entry, key: str) -> list[tuple[str, Entry]]:
    """Dotted names of wrappers with their arguments, the innermost first."""
    node = entry.take(key)
    if node.value is None:
        return []
    items = node.value if isinstance(node.value, list) else [node]
    found = []
    for item in items:
        if isinstance(item.value, str):
            found.append((item.value, Entry({}, item.value)))
        elif isinstance(item.value, dict) and item.value:
            for name, arguments in item.value.items():
                if not isinstance(arguments.value, dict | None):
                    entry.refuse(name, arguments, "a mapping of the wrapper's arguments")
                    continue
                found.append((name, Entry(arguments.value or {}, name)))
        else:
            entry.refuse(key, item, "the dotted name of a wrapper, or a mapping from it")
    return found


def _wrap_all(env: dict[str, Any], name: str, arguments: Entry) -> None:
    """One wrapper more of all environments together, of which a spec has two as keys."""
    last = name.rpartition(".")[2]
    if last == "VecNormalize":
        if "normalize" in env:
            arguments.note(NORMALIZE, "VecNormalize twice there; here, the last one")
        env["normalize"] = _normalize(arguments)
    elif last == "VecFrameStack":
        if "frame_stack" in env:
            arguments.refuse("n_stack", arguments.take("n_stack"), "given once: ppoc stacks once")
        _stack(env, arguments)
        arguments.leave(WRAPPERS)
    else:
        why = NEEDLESS.get(last, "it wraps all environments together; here each has its wrappers")
        arguments.note(WRAPPERS, f"not carried over: the vec_env_wrapper {name} ({why})")
        arguments.leave(WRAPPERS)


def _wrap(env: dict[str, Any], name: str, arguments: Entry) -> None:
    """One wrapper more, as a key of `env` where there is one, else by its name."""
    last = name.rpartition(".")[2]
    if last.startswith("Vec"):
        _wrap_all(env, name, arguments)
        return
    if last in KNOWN:
        KNOWN[last](env, arguments)
        arguments.leave(WRAPPERS)
        return
    import gymnasium

    own = name.startswith(("gymnasium.", "gym.")) and last in gymnasium.wrappers.__all__
    if not own and not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", name, re.ASCII):
        arguments.note(WRAPPERS, f"not carried over: the wrapper {name}")
        return
    code = last if own else f"{name.rpartition('.')[0]}:{last}"
    if not own:
        arguments.note(WRAPPERS, f"{code} is code: it runs with --trust only")
    values = arguments.plain()
    env.setdefault("wrappers", []).append({code: values} if values else code)


def _atari(env: dict[str, Any], arguments: Entry) -> None:
    env["atari"] = {
        "frame_skip": arguments.count("frame_skip", 4),
        "screen_size": arguments.count("screen_size", 84),
        "noop_max": arguments.count("noop_max", 30, least=0),
        "episodic_life": arguments.flag("terminal_on_life_loss", True),
        "clip_rewards": arguments.flag("clip_reward", True),
    }


def _frame_skip(env: dict[str, Any], arguments: Entry) -> None:
    env["frame_skip"] = arguments.count("skip", 4)


def _resize(env: dict[str, Any], arguments: Entry) -> None:
    node = arguments.take("shape")
    sides = [x.value for x in node.value] if isinstance(node.value, list) else [node.value] * 2
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        arguments.refuse("shape", node, "a whole number, or two")
    else:
        env["resize"] = sides


def _grayscale(env: dict[str, Any], arguments: Entry) -> None:
    env["grayscale"] = True
    arguments.flag("keep_dim", True)  # a channel axis is there in any case


def _mask_velocity(env: dict[str, Any], arguments: Entry) -> None:
    env.setdefault("wrappers", []).append("MaskVelocity")


def _stack(env: dict[str, Any], arguments: Entry) -> None:
    env["frame_stack"] = arguments.count("n_stack", 4)
    order = arguments.word("channels_order", "")
    if order == "first":
        text = "VecFrameStack's channels_order: here, channels come first whatever the environment"
        arguments.note(("env", "frame_stack"), text)


def _monitor(env: dict[str, Any], arguments: Entry) -> None:
    arguments.note(WRAPPERS, "Monitor only records; ppoc's runs record by themselves")


# Classes of Stable-Baselines3, RL Zoo and gymnasium, whatever module they were in at the time.
KNOWN: dict[str, Callable[[dict[str, Any], Entry], None]] = {
    "AtariWrapper": _atari,
    "FrameSkip": _frame_skip,
    "ResizeObservation": _resize,
    "YAMLCompatResizeObservation": _resize,
    "GrayScaleObservation": _grayscale,
    "GrayscaleObservation": _grayscale,
    "MaskVelocityWrapper": _mask_velocity,
    "Monitor": _monitor,
}
NEEDLESS = {  # wrappers of all environments together that change no result here
    "VecMonitor": "it only records; ppoc's runs record by themselves",
    "VecTransposeImage": "here, convolutions get channels first in any case",
    "VecCheckNan": "it only checks; ppoc checks observations itself",
    "VecVideoRecorder": "it only films; `ppoc eval --video` does",
}
