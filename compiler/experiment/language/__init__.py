"""The language of `kind: experiment`: what is compared, on which tasks, with which seeds.

One pydantic model a section, as in ppoc.compiler.agent.language.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, StringConstraints

from ppoc.compiler.experiment.language.compare import Compare
from ppoc.compiler.experiment.language.engine import Budget, Engine
from ppoc.compiler.experiment.language.search import Search
from ppoc.compiler.experiment.language.values import Changes, Key
from ppoc.compiler.front.values import STRICT, Count, EnvId, Lock, Name, One

Seed = Annotated[int, Field(ge=0, lt=2**31)]
MAX_VALUES = 1_000  # of one key, of seeds, of variants


def _or_name(schema: dict[str, Any]) -> None:
    """Allow an engine's name for its section, as `normal` in ..document does."""
    section = {"$ref": schema.pop("$ref")}
    schema["anyOf"] = [section, {"enum": list(get_args(Engine.model_fields["name"].annotation))}]
    schema["description"] = "Where runs are made: a name, or a section with more."


class ExperimentSpec(BaseModel):
    """Many runs, and the question that they answer."""

    model_config = STRICT
    ppoc: One = Field(description="Version of the spec language.")
    kind: Literal["experiment"] = Field(description="experiment: many runs, compared.")
    name: Name = Field(description="Name of the experiment; its folder carries it.")
    question: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = Field(
        None, description="What the experiment is to answer, in words."
    )
    base: (
        Annotated[str, StringConstraints(min_length=1, max_length=1000)] | dict[str, Any] | None
    ) = Field(
        None,
        description="The spec that every run starts from: the name of one of the zoo, a file by "
        "its path from here, or a spec itself. null: each variant has its own.",
    )
    set: Changes = Field(
        default_factory=dict,
        description="Changes to the base of every run: values by their keys, as in "
        "`training.total_steps: 1_000_000`, or in sections.",
    )
    variants: Annotated[dict[Name, Changes], Field(max_length=MAX_VALUES)] = Field(
        default_factory=dict,
        description="What is compared: a name, and changes to base and `set`; `{}` changes "
        "nothing, and a `base` among them takes the place of the experiment's.",
    )
    vary: dict[Key, Annotated[list[Any], Field(min_length=1, max_length=MAX_VALUES)]] = Field(
        default_factory=dict,
        description="A grid: keys, each with its values. All combinations are compared, of each "
        "variant.",
    )
    search: Search | None = Field(
        None, description="A search through ranges, in the place of variants and grid."
    )
    tasks: Annotated[list[EnvId], Field(max_length=MAX_VALUES)] = Field(
        default_factory=list,
        description="Environments; all that is compared runs on each. None: that of the base.",
    )
    seeds: (
        Annotated[int, Field(ge=1, le=MAX_VALUES)]
        | Annotated[list[Seed], Field(min_length=1, max_length=MAX_VALUES)]
    ) = Field(5, description="Seeds of each setting on each task: 5 is 1 to 5.")
    compare: Compare = Field(default_factory=Compare)
    engine: Engine = Field(default_factory=Engine, json_schema_extra=_or_name)
    jobs: Count | Literal["auto"] = Field(
        "auto", description="Runs side by side; auto: as many as the engine has room for."
    )
    budget: Budget = Field(default_factory=Budget)
    lock: Lock | None = Field(None, description="Only in spec.lock.yaml.")
