"""Hyper-parameter files of RL Baselines3 Zoo, entry by entry, as specs.

A file maps environments to settings of Stable-Baselines3's algorithms. Two entries are of no
environment: `atari` stands for every Atari game, `default` for what has no entry.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ppoc.compiler.agent.env.probe import package_of
from ppoc.compiler.compact import Note, spec_text
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import read
from ppoc.compiler.front.suggest import did_you_mean
from ppoc.compiler.resolve import resolve_text
from ppoc.importing import sb2
from ppoc.importing.entry import Entry
from ppoc.importing.environment import environment
from ppoc.importing.hyperparameters import ALGORITHMS, DEFAULTS, Algorithm, sections
from ppoc.importing.python_yaml import read_python_yaml
from ppoc.importing.trained_agent import TrainedAgent, is_one_entry, read_agent

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


def read_entries(path: Path) -> dict[str, Node] | TrainedAgent:
    """Entry → its settings, of an RL Zoo file; or the one of a trained agent.

    Raises:
        SpecError: the file cannot be read (E001 to E006), or is of another kind (E901).
    """
    root = read_python_yaml(read(path), str(path))
    if not isinstance(root.value, dict):
        raise _no_file("the document is not a mapping", root)
    if is_one_entry(root.value):
        return read_agent(path, root.value)
    for name, node in root.value.items():
        if not isinstance(node.value, dict):
            raise _no_file(f"the entry `{name[:80]}` is not a mapping of settings", node)
        _check_algorithm(node.value)
    return root.value


def _check_algorithm(settings: dict[str, Node]) -> None:
    for key in (*OFF_POLICY, *SEARCH):
        if key in settings:
            place = Node(None, settings[key].key_span)
            raise _no_file(f"`{key}` is of an algorithm that is no policy gradient", place)


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
        word = "ppo2?" if name == "ppo" else name
        if re.search(rf"(^|[^a-z0-9]){word}($|[^a-z0-9])", stem):
            return name
    keys = {key for node in entries.values() for key in node.value}
    policies = {
        str(node.value["policy"].value) for node in entries.values() if "policy" in node.value
    }
    if any("Lstm" in policy for policy in policies):
        return "ppo-lstm"
    if keys & {"cg_max_steps", "cg_damping", "n_critic_updates", "sub_sampling_factor", "max_kl"}:
        return "trpo"
    if keys & {"n_epochs", "clip_range", "noptepochs", "cliprange", "nminibatches"}:
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
    if isinstance(entries, TrainedAgent):
        yield _convert_agent(path, entries, algorithm, env_id)
        return
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


def _convert_agent(
    path: Path, agent: TrainedAgent, algorithm: Algorithm | None, env_id: str | None
) -> Imported:
    _check_algorithm(agent.settings)
    name = env_id or agent.env_id
    if name is None:
        help = "give it with --env; the args.yml beside it, where there is one, has it too"
        message = f"{path} has the settings of one agent, and does not name its environment"
        raise SpecError([Diagnostic("E901", message, help=help)])
    entries = {name: Node(agent.settings)}
    algorithm = algorithm or agent.algorithm or guess_algorithm(path, entries)
    return _convert(path, algorithm, name, name, entries, agent.notes)


def _convert(
    path: Path,
    algorithm: Algorithm,
    name: str,
    env_id: str,
    entries: dict[str, Node],
    notes: Sequence[Note] = (),
) -> Imported:
    if env_id == "atari":
        env_id = EXAMPLE_GAME
    settings, old = entries[name].value, sb2.is_old(entries)
    entry = Entry(sb2.renamed(algorithm, settings) if old else settings)
    entry.notes += notes
    if name == "atari":
        entry.note(("env", "id"), f"the entry `atari` is of any game, such as {EXAMPLE_GAME}")
    num_envs = entry.count("n_envs", 1, most=100_000)
    env = environment(entry, env_id, num_envs)
    if old:
        sb2.count_minibatches(algorithm, entry, num_envs)
    values = {"env": env, **sections(algorithm, entry, num_envs)}
    if old:
        sb2.settle(algorithm, values, entry)
    entry.leave(("training",), ELSEWHERE)
    slug = re.sub(r"[^a-z0-9.-]+", "-", env_id.lower()).strip("-.")[:48] or "agent"
    title = f"{slug}-{algorithm}"
    head = [f"The entry {name} of RL Zoo's {path.name} ({algorithm}), imported by ppoc."]
    if old:
        head.append("It has names of Stable-Baselines 2; what it leaves out is as there.")
    text = spec_text(title, DEFAULTS[algorithm].preset, values, entry.notes, head)
    problems = entry.wrong
    if not problems:
        try:
            resolve_text(text, f"{title}.yaml")
        except SpecError as error:
            problems = error.diagnostics
    return Imported(name, env_id, title, text, entry.notes, problems)
