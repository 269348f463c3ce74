"""From a checked experiment to what its folder holds: its runs, and a lock that stands alone."""

import importlib.metadata

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.program import Program


def compile_experiment(resolved: ExperimentResolved) -> Program:
    """The program of an experiment: no module of its own, but a spec of each run."""
    values = resolved.spec.model_dump(mode="json", by_alias=True, exclude={"lock"})
    values |= {key: resolved.whole.value[key].plain() for key in resolved.whole.value}
    return Program(
        "",
        values,
        {"ppoc": importlib.metadata.version("ppoc")},
        facts={"settings_compared": [setting.name for setting in resolved.settings]},
        members={member.name: member.resolved for member in resolved.members},
    )
