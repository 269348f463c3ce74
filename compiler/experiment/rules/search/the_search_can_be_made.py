"""E313: the parts of a search fit each other."""

from collections.abc import Iterator

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule


@rule("E313", "search.confirm", "search.trials")
def the_best_are_among_the_trials(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    search = resolved.spec.search
    if search is not None and search.confirm > search.trials:
        yield resolved.diagnostic(
            "E313",
            resolved.first_explicit(("search", "confirm"), ("search", "trials")),
            f"the best {search.confirm} of {search.trials} trials",
            help="confirm fewer, or make more trials",
        )


@rule("E313", "search.prune", "search.seeds")
def seeds_can_be_compared(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    search = resolved.spec.search
    if search is not None and search.prune == "wilcoxon" and search.seeds < 3:
        yield resolved.diagnostic(
            "E313",
            resolved.first_explicit(("search", "prune"), ("search", "seeds")),
            f"pruning by `wilcoxon` with {search.seeds} seeds a trial",
            why="before the last seed, it compares those so far with the best trial's",
            help="set search.seeds to 3 or more, or prune by `hyperband`",
        )


@rule("E313", "search.cost", "search.prune")
def one_objective_is_pruned(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    search = resolved.spec.search
    if search is not None and search.cost and search.prune != "none":
        yield resolved.diagnostic(
            "E313",
            ("search", "prune"),
            f"pruning by `{search.prune}` with the cost as a second objective",
            why="a trial with worse returns may still be the cheapest",
            help="set `prune: none`, or `cost: false`",
        )
