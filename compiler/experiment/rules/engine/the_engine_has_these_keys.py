"""E312: each engine has keys of its own."""

from collections.abc import Iterator

from ppoc.compiler.experiment.resolved import ExperimentResolved
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule

OF = {
    "address": ("ray",),
    "cpus": ("ray", "slurm"),
    "gpus": ("ray", "slurm"),
    "partition": ("slurm",),
    "hours": ("slurm",),
}


@rule("E312", "engine.*")
def the_engine_has_these_keys(resolved: ExperimentResolved) -> Iterator[Diagnostic]:
    engine = resolved.spec.engine
    values = {
        "address": engine.address,
        "cpus": engine.cpus,
        "gpus": engine.gpus or None,
        "partition": engine.partition,
        "hours": engine.hours,
    }
    for key, value in values.items():
        if value is not None and engine.name not in OF[key]:
            names = " or ".join(f"`{name}`" for name in OF[key])
            why = "it plans cores and GPUs of this machine itself" if engine.name == "local" else ""
            yield resolved.diagnostic(
                "E312",
                ("engine", key),
                f"`engine.{key}` means nothing to `{engine.name}`",
                why=why,
                help=f"remove it, or set `name` to {names}",
            )
