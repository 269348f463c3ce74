"""The engines by their names, each imported when it is asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from ppoc.compiler.experiment.language.engine import Engine as EngineSpec
from ppoc.compiler.experiment.language.engine import Name
from ppoc.experiments.engines.engine import Engine, EngineError
from ppoc.experiments.engines.local import LocalEngine
from ppoc.experiments.engines.planning import Plan

NAMES: tuple[str, ...] = get_args(Name)


def asked(spec: EngineSpec, name: str | None) -> EngineSpec:
    """The engine of a spec, or another one that was asked for by its name.

    Raises:
        EngineError: there is none of that name, or it is not installed here.
    """
    if name is not None:
        if name not in NAMES:
            raise EngineError(f"there is no engine {name!r}; the engines are {', '.join(NAMES)}")
        spec = spec.model_copy(update={"name": name})
    if spec.name == "ray":
        from ppoc.experiments.engines.ray_cluster import require as require_ray

        require_ray()
        if spec.gpus > 1 and spec.gpus != int(spec.gpus):
            raise EngineError(f"of several GPUs Ray gives whole ones: engine.gpus is {spec.gpus:g}")
    elif spec.name == "slurm":
        from ppoc.experiments.engines.slurm_engine import require as require_slurm

        require_slurm(spec)
    return spec


def engine_for(
    spec: EngineSpec,
    folder: Path,
    planned: Plan,
    jobs: int | None,
    say: Callable[[str], None],
) -> Engine:
    """The engine of a spec.

    Args:
        folder: of the experiment, absolute.
        planned: for this machine.
        jobs: side by side, where somebody asks for some.
        say: tells people of what they should know while it runs.

    Raises:
        EngineError: it cannot be used.
        OSError: the folder cannot be written to.
    """
    if spec.name == "ray":
        from ppoc.experiments.engines.ray_engine import RayEngine

        return RayEngine(spec, folder, jobs, say)
    if spec.name == "slurm":
        from ppoc.experiments.engines.slurm_engine import SlurmEngine

        return SlurmEngine(spec, folder, jobs, say)
    return LocalEngine(planned, say)
