"""The sections `engine` and `budget`: where runs are made, and how many at most."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from ppoc.compiler.front.values import STRICT, Count, Positive

Name = Literal["local", "ray", "slurm"]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Engine(BaseModel):
    """Where runs are made; the name alone may stand for the section."""

    model_config = STRICT
    name: Name = Field(
        "local",
        description="local: processes of this machine. ray: a Ray cluster (`ppoc[ray]`). slurm: "
        "jobs of SLURM (`ppoc[slurm]`).",
    )
    address: Text | None = Field(
        None,
        description="Of a Ray cluster: auto, HOST:PORT or ray://HOST:PORT; null: that of "
        "RAY_ADDRESS, or a new one on this machine.",
    )
    cpus: Count | None = Field(None, description="Cores of each run; null: one.")
    gpus: Annotated[float, Field(ge=0, le=1024)] = Field(
        0.0, description="GPUs of each run; a part of one is shared."
    )
    partition: Text | None = Field(None, description="Of SLURM; null: its own choice.")
    hours: Positive | None = Field(
        None,
        description="Time limit of a SLURM job, after which its run goes on in the next; null: 4.",
    )


class Budget(BaseModel):
    """Bounds of the whole experiment: one that plans more is an error, a search ends there."""

    model_config = STRICT
    runs: Count | None = Field(None, description="Runs at most.")
    steps: Count | None = Field(None, description="Steps of all runs together at most.")
    hours: Positive | None = Field(
        None, description="Hours at most, after which nothing new is begun."
    )
