"""How many runs go side by side on this machine, and how many threads each of them has.

Measured on two cores: two runs of one thread each are done sooner than two of two threads, which
wait for each other, and than one run of two threads after the other.
"""

from typing import NamedTuple

from ppoc.experiments.engines import machine


class Plan(NamedTuple):
    """A plan for the runs of an experiment.

    Attributes:
        jobs: runs side by side.
        threads: of each.
        gpus: names of those that runs are spread over; none where they train on the CPU.
    """

    jobs: int
    threads: int
    gpus: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f", on GPU {', '.join(self.gpus)}" if self.gpus else ""
        threads = "thread" if self.threads == 1 else "threads"
        return f"{self.jobs} side by side, {self.threads} {threads} each{where}"


def plan(runs: int, jobs: int | None = None, *, device: str = "cpu") -> Plan:
    """The plan for so many runs.

    Args:
        runs: of the whole experiment, also those that are done: a run that goes on has then the
            threads that it began with, of which the bits of large networks depend.
        jobs: side by side, where somebody says it; None: one a core, and one a GPU.
        device: where they train, as a spec says it.
    """
    cores = machine.cores()
    gpus = tuple(machine.gpus()) if device != "cpu" else ()
    most = len(gpus) if gpus else cores
    side_by_side = max(1, min(jobs or most, runs))
    return Plan(side_by_side, max(1, cores // side_by_side), gpus)
