"""Names that other libraries give to columns, files and runs."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from ppoc.formats.reading import FormatError
from ppoc.formats.text import printable

# What a column holds → its names: of tables written by hand, CleanRL, Stable-Baselines3's logger,
# RLlib's progress.csv before and since 2.40, OpenAI's baselines and Spinning Up.
COLUMNS: Mapping[str, Sequence[str]] = {
    "setting": ("setting", "algorithm", "algo", "exp_name", "method", "agent", "variant"),
    "task": ("task", "env_id", "env", "environment", "game"),
    "seed": ("seed", "random_seed", "config/seed"),
    "step": (
        *("step", "steps", "global_step", "timesteps", "total_timesteps", "time/total_timesteps"),
        *("num_env_steps_sampled_lifetime", "env_runners/num_env_steps_sampled_lifetime"),
        *("timesteps_total", "misc/total_timesteps", "TotalEnvInteracts", "_step"),
    ),
    "return": (
        *("return", "score", "episodic_return", "charts/episodic_return", "episode_return"),
        *("rollout/ep_rew_mean", "eval/mean_reward", "env_runners/episode_return_mean"),
        *("env_runners/episode_reward_mean", "episode_reward_mean", "eprewmean", "AverageEpRet"),
        *("mean_reward", "reward"),
    ),
}
# Names of files that say nothing of the run, which their folder does.
PLAIN_FILES = re.compile(r"(\d+\.)?(progress|monitor|results?|metrics|log|eval)\d*", re.IGNORECASE)
SEED = re.compile(
    r"^(?P<rest>.*?)[-_.,]?(seed|run|trial|s)?[-_=]?(?P<seed>\d{1,9})$", re.IGNORECASE
)
CLEANRL = re.compile(r"^(?P<task>.+?)__(?P<setting>.+)__(?P<seed>\d{1,9})__\d+$")


class Named(NamedTuple):
    """The setting, the task and the seed that a name tells."""

    setting: str
    task: str = ""
    seed: int | None = None


def chosen(text: str) -> dict[str, str]:
    """The columns that a user names, as in `setting=algo,return=ep_ret`.

    Raises:
        FormatError: it is no such list.
    """
    found = {}
    for part in text.split(","):
        what, sign, name = part.partition("=")
        if not sign or what.strip() not in COLUMNS or not name.strip():
            known = ", ".join(COLUMNS)
            raise FormatError(
                f"{printable(part, 80)!r} does not name a column: write WHAT=COLUMN, with one of "
                f"{known} for WHAT, as in setting=algo,return=ep_ret"
            )
        found[what.strip()] = name.strip()
    return found


def places(header: Sequence[str], wanted: Mapping[str, str]) -> dict[str, int]:
    """Where a table has each thing that is known of it.

    Raises:
        FormatError: a wanted column is not there; the text has those that are.
    """
    found = {}
    for what, names in COLUMNS.items():
        if what in wanted and wanted[what] not in header:
            there = printable(", ".join(header), 300)
            raise FormatError(f"it has no column {wanted[what]!r}; it has {there}")
        for name in (wanted[what],) if what in wanted else names:
            if name in header:
                found[what] = header.index(name)
                break
    return found


def run_columns(header: Sequence[str], wanted: Mapping[str, str]) -> dict[int, Named]:
    """Columns of a chart that Weights & Biases exported, one for each run: `RUN - METRIC`.

    Those of the extremes that it adds, `RUN - METRIC__MIN`, are none.
    """
    metrics = (wanted["return"],) if "return" in wanted else COLUMNS["return"]
    found = {}
    for place, column in enumerate(header):
        name, sign, metric = column.rpartition(" - ")
        if sign and metric in metrics:
            found[place] = of_name(name)
    return found


def of_name(name: str, task: str = "") -> Named:
    """A run's name, as `CartPole-v1__ppo__1__1700000000` of CleanRL or `ppo_seed1`."""
    if match := CLEANRL.match(name):
        return Named(match["setting"], match["task"], int(match["seed"]))
    if task and name.startswith(task):  # CartPole-v1_1, of RL Zoo
        rest = name.removeprefix(task).strip("-_")
        return Named("", task, int(rest) if rest.isdecimal() and len(rest) < 10 else None)
    if match := SEED.match(name):
        return Named(match["rest"].rstrip("-_ "), task, int(match["seed"]))
    return Named(name, task)


def of_path(path: PurePath, task: str = "") -> Named:
    """The setting and seed of a file with one run, by its name and those of its folders."""
    name = path.name.removesuffix(path.suffix)
    plain = PLAIN_FILES.fullmatch(name)
    parts = [part for part in path.parts[:-1] if part not in ("/", ".", "..")]
    names = [*([] if plain else [name.removesuffix(".monitor")]), *reversed(parts)]
    seed = None
    for part in names[:3]:
        found = of_name(part, task)
        seed = found.seed if seed is None else seed
        if found.setting:
            return Named(found.setting, found.task or task, seed)
    return Named(path.parent.name or name, task, seed)
