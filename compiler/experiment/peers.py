"""Names that other tools have for the keys of experiments, and keys that belong in their runs."""

from ppoc.compiler.front.suggest import hints

RUN = (
    "training env algorithm networks optimizer losses update advantage evaluation memory model "
    "data sft reward ppo stages start"
)
OF_RUNS = {
    f"ppoc changes the runs of an experiment in `set`, or in a variant: write "
    f"`set: {{{key}: …}}`, or `-s set.{key}.…=…` on the command line": key
    for key in RUN.split()
}

PEERS = hints(
    {
        **OF_RUNS,
        "seeds": "num_seeds n_seeds seed repeats replicas num_samples",
        "vary": "grid sweep param_grid parameters matrix",
        "variants": "arms conditions settings methods algorithms configs ablations groups",
        "tasks": "environments envs env_ids env_names",
        "jobs": "n_jobs workers parallel max_concurrent num_workers",
        "search": "tune optuna hpo sampler",
        "engine": "launcher backend executor cluster",
        "question": "hypothesis description",
        "budget": "limit limits max_runs",
        "base": "defaults spec template",
        "search.space": "search.params search.parameters search.ranges",
        "search.method": "search.sampler search.algorithm",
        "search.prune": "search.pruner search.scheduler",
        "search.trials": "search.n_trials search.num_trials",
        "compare.confidence": "compare.alpha compare.level compare.ci",
        "compare.baseline": "compare.control compare.reference",
    }
)
