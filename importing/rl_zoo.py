"""Hyper-parameter files of RL Baselines3 Zoo, entry by entry, as specs.

A file maps environments to settings of Stable-Baselines3's algorithms. Two entries are of no
environment: `atari` stands for every Atari game, `default` for what has no entry.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ppoc.compiler.compact import Note, spec_text
from ppoc.compiler.diagnostics import Diagnostic, SpecError
from ppoc.compiler.probe import package_of
from ppoc.compiler.resolve import resolve_text
from ppoc.compiler.source import Node, parse, read
from ppoc.compiler.suggest import did_you_mean
from ppoc.importing.entry import Entry
from ppoc.importing.environment import environment
from ppoc.importing.hyperparameters import ALGORITHMS, DEFAULTS, Algorithm, sections

EXAMPLE_GAME = "PongNoFrameskip-v4"
TEMPLATES = ("default", "atari")
# Keys that only other algorithms have.
OFF_POLICY = (
    "buffer_size",
    "learning_starts",
    "train_freq",
    "tau",
    "gradient_steps",
    "n_quantiles",
)
SEARCH = ("n_delta", "delta_std", "pop_size")
ELSEWHERE = {
    "callback": "callbacks are code of a training script",
    "rollout_buffer_class": "a class of Stable-Baselines3's own",
    "monitor_kwargs": "of Stable-Baselines3's monitor",
    "policy_kwargs": "not read",
}


class Imported(NamedTuple):
    """An entry as a spec, or why it has none; the entry `default` has no text without one."""

    entry: str
    env_id: str
    name: str  # of the spec, and of its file
    text: str
    notes: list[Note]
    problems: list[Diagnostic]


def read_entries(path: Path) -> dict[str, Node]:
    """Entry → its settings, of an RL Zoo file.

    Raises:
        SpecError: the file cannot be read (E001 to E006), or is of another kind (E901).
    """
    root = parse(read(path), str(path))
    if not isinstance(root.value, dict):
        raise _no_file("the document is not a mapping", root)
    for name, node in root.value.items():
        if not isinstance(node.value, dict):
            raise _no_file(f"the entry `{name[:80]}` is not a mapping of settings", node)
        for key in (*OFF_POLICY, *SEARCH):
            if key in node.value:
                place = Node(None, node.value[key].key_span)
                raise _no_file(f"`{key}` is of an algorithm that is no policy gradient", place)
    return root.value


def _no_file(message: str, node: Node) -> SpecError:
    help = (
        "give a hyper-parameter file of PPO, A2C, TRPO or recurrent PPO, such as RL Zoo's ppo.yml"
    )
    return SpecError([Diagnostic("E901", message, node.span or node.key_span, help=help)])


def guess_algorithm(path: Path, entries: dict[str, Node]) -> Algorithm:
    """The algorithm of a file, which only its name and its keys tell.

    Raises:
        SpecError: E901, they do not.
    """
    stem = path.stem.lower().replace("_", "-")
    for name in ("ppo-lstm", "ppo", "a2c", "trpo"):
        if re.search(rf"(^|[^a-z0-9]){name}($|[^a-z0-9])", stem):
            return name
    keys = {key for node in entries.values() for key in node.value}
    policies = {
        str(node.value["policy"].value) for node in entries.values() if "policy" in node.value
    }
    if any("Lstm" in policy for policy in policies):
        return "ppo-lstm"
    if keys & {"cg_max_steps", "cg_damping", "n_critic_updates", "sub_sampling_factor"}:
        return "trpo"
    if keys & {"n_epochs", "clip_range"}:
        return "ppo"
    if keys & {"use_rms_prop", "rms_prop_eps"}:
        return "a2c"
    message = f"neither the name of {path} nor its keys say of which algorithm it is"
    help = f"give --algorithm, one of: {', '.join(ALGORITHMS)}"
    raise SpecError([Diagnostic("E901", message, help=help)])


def convert(
    path: Path, algorithm: Algorithm | None = None, env_id: str | None = None
) -> Iterator[Imported]:
    """The specs of a file, or of one environment.

    Args:
        env_id: an entry, or any environment, which then gets the entry `atari` or `default`.

    Raises:
        SpecError: the file cannot be read, or has nothing for that environment (E901).
    """
    entries = read_entries(path)
    algorithm = algorithm or guess_algorithm(path, entries)
    if env_id is not None:
        yield _convert(path, algorithm, _entry_for(path, entries, env_id), env_id, entries)
        return
    for entry in entries:
        if entry == "default":
            note = Note(("env", "id"), "`default` names no environment: give one with --env")
            yield Imported(entry, "", "", "", [note], [])
            continue
        game = EXAMPLE_GAME if entry == "atari" else entry
        yield _convert(path, algorithm, entry, game, entries)


def _entry_for(path: Path, entries: dict[str, Node], env_id: str) -> str:
    if env_id in entries and env_id not in TEMPLATES:
        return env_id
    kind = "atari" if env_id == "atari" or package_of(env_id) == "ale_py" else "default"
    if kind in entries and env_id != "default":
        return kind
    close = did_you_mean(env_id, [name for name in entries if name not in TEMPLATES])
    help = close or f"its entries are: {', '.join(entries)}"
    message = f"{path} has no entry for {env_id}, and none for any `{kind}`"
    if env_id == "default":
        message, help = "`default` names no environment", "give one: `--env CartPole-v1`"
    raise SpecError([Diagnostic("E901", message, help=help)])


def _convert(
    path: Path, algorithm: Algorithm, name: str, env_id: str, entries: dict[str, Node]
) -> Imported:
    if env_id == "atari":
        env_id = EXAMPLE_GAME
    entry = Entry(entries[name].value)
    if name == "atari":
        entry.note(("env", "id"), f"the entry `atari` is of any game, such as {EXAMPLE_GAME}")
    num_envs = entry.count("n_envs", 1, most=100_000)
    env = environment(entry, env_id, num_envs)
    values = {"env": env, **sections(algorithm, entry, num_envs)}
    entry.leave(("training",), ELSEWHERE)
    slug = re.sub(r"[^a-z0-9.-]+", "-", env_id.lower()).strip("-.")[:48] or "agent"
    title = f"{slug}-{algorithm}"
    head = [f"The entry {name} of RL Zoo's {path.name} ({algorithm}), imported by ppoc."]
    text = spec_text(title, DEFAULTS[algorithm].preset, values, entry.notes, head)
    problems = entry.wrong
    if not problems:
        try:
            resolve_text(text, f"{title}.yaml")
        except SpecError as error:
            problems = error.diagnostics
    return Imported(name, env_id, title, text, entry.notes, problems)
