"""The trials of a search as a table, trials.csv, for people and for spreadsheets."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ppoc.compiler.experiment.language.search import Search
from ppoc.experiments.search.space import values
from ppoc.experiments.search.study import REASON, SECONDS, STEPS
from ppoc.formats.files import write_whole

NAME = "trials.csv"
STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for one


def write_table(folder: Path, study: optuna.Study, search: Search) -> None:
    """Write the trials into the experiment's folder; raises OSError where it cannot."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    front = {trial.number for trial in front_of(study)}
    columns = ["trial", "state", "score", "seconds", "steps", "front", "reason"]
    writer.writerow([*columns, *search.space])
    for trial in study.get_trials(deepcopy=False):
        writer.writerow(_row(trial, search, trial.number in front))
    write_whole(folder / NAME, buffer.getvalue())


def _row(trial: FrozenTrial, search: Search, on_front: bool) -> list[Any]:
    try:
        found = values(search.space, trial.params)
    except KeyError:
        found = {}
    attrs = trial.user_attrs
    score = trial.values[0] if trial.values else ""
    reason = str(attrs.get(REASON, ""))
    reason = f"'{reason}" if reason.startswith(FORMULA) else reason
    front = "yes" if on_front else ""
    row = [trial.number, STATES[trial.state], score, attrs.get(SECONDS, ""), attrs.get(STEPS, "")]
    return [*row, front, reason, *(_cell(found.get(key, "")) for key in search.space)]


def _cell(value: Any) -> Any:
    text = json.dumps(value) if isinstance(value, bool | list | dict) else value
    starts = isinstance(text, str) and text.startswith(FORMULA)
    return f"'{text}" if starts else text


def front_of(study: optuna.Study) -> list[FrozenTrial]:
    """Finished trials that none beats in both score and seconds; with a score alone, the best."""
    return study.best_trials if study.get_trials(states=(TrialState.COMPLETE,)) else []


def best_of(study: optuna.Study) -> list[FrozenTrial]:
    """Finished trials by their scores, the best first; with cost, only those of the front."""
    several = len(study.directions) > 1
    found = front_of(study) if several else study.get_trials(states=(TrialState.COMPLETE,))
    return sorted(found, key=lambda trial: (-trial.values[0], trial.number))
