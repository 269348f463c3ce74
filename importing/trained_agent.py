"""The settings that RL Zoo saved beside a trained agent: `config.yml`, and `args.yml` next to it.

`config.yml` is one entry of a hyper-parameter file, without the environment's name; `args.yml` has
the arguments of the training script, among them that name, the algorithm and the seed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, get_args

from ppoc.compiler.compact import Note
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.node import Node
from ppoc.compiler.front.source import read
from ppoc.importing.hyperparameters import Algorithm
from ppoc.importing.python_yaml import read_python_yaml

CONFIG, ARGUMENTS = "config.yml", "args.yml"
LARGEST_SEED = 2**31 - 1
NAMES = {"ppo_lstm": "ppo-lstm"}


class TrainedAgent(NamedTuple):
    """One entry, the algorithm and the environment where they are known, and comments."""

    settings: dict[str, Node]
    algorithm: Algorithm | None
    env_id: str | None
    notes: list[Note]


def is_one_entry(root: Mapping[str, Node]) -> bool:
    """Whether a document is the settings of one agent rather than entries of environments."""
    return _is_arguments(root) or any(
        key in root and not isinstance(root[key].value, dict) for key in ("policy", "n_timesteps")
    )


def read_agent(path: Path, root: Mapping[str, Node]) -> TrainedAgent:
    """The agent of `config.yml`, already read, and an `args.yml` beside it; or the other way round.

    Raises:
        SpecError: E901, an `args.yml` alone has no settings, or the algorithm is none of ppoc's;
            and as `read_python_yaml`.
    """
    if _is_arguments(root):
        arguments, other = root, path.with_name(CONFIG)
        if not other.is_file():
            message = f"{path} has the arguments of RL Zoo's script, not the settings of an agent"
            raise SpecError([Diagnostic("E901", message, help=f"give the {CONFIG} beside it")])
        root = _document(other)
    else:
        beside = path.with_name(ARGUMENTS)
        found = _document(beside) if path.name == CONFIG and beside.is_file() else {}
        arguments = found if _is_arguments(found) else {}
    return _merged(root, {key: node for key, node in arguments.items() if node.value is not None})


def _document(path: Path) -> Mapping[str, Node]:
    root = read_python_yaml(read(path), str(path)).value
    return root if isinstance(root, dict) else {}


def _is_arguments(root: Mapping[str, Node]) -> bool:
    return all(key in root and isinstance(root[key].value, str) for key in ("algo", "env"))


def _merged(settings: Mapping[str, Node], arguments: Mapping[str, Node]) -> TrainedAgent:
    merged, notes = dict(settings), []
    steps, seed = (arguments.get(key, Node(None)) for key in ("n_timesteps", "seed"))
    if isinstance(steps.value, int | float) and steps.value > 0:
        merged["n_timesteps"] = steps
    if type(seed.value) is int and 0 <= seed.value <= LARGEST_SEED:
        merged.setdefault("seed", seed)
    elif type(seed.value) is int and seed.value > LARGEST_SEED:
        text = f"not carried over: seed: {seed.value} (the largest is {LARGEST_SEED})"
        notes.append(Note(("training", "seed"), text))
    options = arguments.get("env_kwargs", Node(None))
    if isinstance(options.value, dict) and options.value:
        merged["env_kwargs"] = options
    start = arguments.get("trained_agent", Node("")).value
    if start:
        text = f"it went on from another agent there, {str(start)[:80]}; here it starts anew"
        notes.append(Note(("training",), text))
    algorithm = arguments.get("algo", Node(None))
    name = NAMES.get(str(algorithm.value), algorithm.value)
    if name is not None and name not in get_args(Algorithm):
        message = f"the agent is of `{str(name)[:80]}`, which ppoc does not have"
        help = f"ppoc reads agents of {', '.join(get_args(Algorithm))}"
        raise SpecError([Diagnostic("E901", message, algorithm.span, help=help)])
    env = arguments.get("env", Node(None)).value
    return TrainedAgent(merged, name, env if isinstance(env, str) else None, notes)
