"""From a checked experiment to what its folder holds: its runs, and a lock that stands alone."""

import importlib.metadata
from typing import Any

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.program import Program


def compile_experiment(resolved: ExperimentResolved) -> Program:
    """The program of an experiment: no module of its own, but a spec of each run."""
    values = resolved.spec.model_dump(mode="json", by_alias=True)
    bases = {cell.setting.path: cell.base.document.plain() for cell in resolved.cells}
    own = resolved.root.value.get("base")
    for cell in resolved.cells:
        if cell.setting.base is own:
            values["base"] = bases[cell.setting.path]
        else:
            values["variants"][cell.setting.path[-1]]["base"] = bases[cell.setting.path]
    values.pop("lock")
    facts: dict[str, Any] = {"settings_compared": [s.name for s in resolved.settings]}
    return Program(
        "",
        values,
        {"ppoc": importlib.metadata.version("ppoc")},
        facts=facts,
        members={member.name: member.resolved for member in resolved.members},
    )
