"""How a search chooses its trials, and which it ends early: Optuna's samplers and pruners."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, WilcoxonPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from ppoc.compiler.experiment.language.search import Search

P_VALUE = 0.1  # of Wilcoxon's test, one-sided
UNITS = 9  # parts of a run after which its trial may be pruned; rungs of Hyperband: 1, 3, 9


def sampler(search: Search, seed: int) -> BaseSampler:
    """The sampler of a search's method."""
    if search.method == "random":
        return RandomSampler(seed)
    if search.method == "gp":
        return GPSampler(seed=seed)
    return TPESampler(seed=seed, multivariate=True)


def pruner(search: Search, runs: int) -> BasePruner:
    """The pruner of a search; Wilcoxon's compares runs, the others parts of runs.

    Args:
        runs: of a trial.
    """
    if search.prune == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=UNITS, reduction_factor=3)
    if search.prune == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=2)
    if search.prune == "wilcoxon":
        # The least that a sign test shows before the last of few runs is more than 0.1.
        return WilcoxonPruner(p_threshold=max(P_VALUE, 1.01 * 0.5 ** (runs - 1)))
    return NopPruner()


class Seeded(BaseSampler):
    """A sampler of its own for each trial, with the trial's number as its seed.

    What a trial is depends then on the trials that ended before it, and not on when the search was
    stopped and went on.
    """

    def __init__(self, make: Callable[[int], BaseSampler]) -> None:
        self._make = make
        self._made: tuple[int, BaseSampler] | None = None

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if self._made is None or self._made[0] != trial.number:
            self._made = trial.number, self._make(trial.number)
        return self._made[1]

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._of(trial).before_trial(study, trial)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        self._of(trial).after_trial(study, trial, state, values)


def distinct(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials without those whose parameters an earlier one of them has."""
    found: dict[str, FrozenTrial] = {}
    for trial in trials:
        found.setdefault(_key(trial.params), trial)
    return list(found.values())


def _key(params: Mapping[str, Any]) -> str:
    return repr(sorted(params.items()))
