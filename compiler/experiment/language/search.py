"""The section `search`: ranges, and how they are searched through."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from ppoc.compiler.experiment.language.values import Key
from ppoc.compiler.front.values import STRICT, Count

Ends = Annotated[list[float], Field(min_length=2, max_length=2)]
WholeEnds = Annotated[list[int], Field(min_length=2, max_length=2)]


class Range(BaseModel):
    """The values that one key may take; exactly one of these."""

    model_config = STRICT
    log: Ends | None = Field(None, description="Numbers between two, even in their logarithms.")
    range: Ends | None = Field(None, description="Numbers between two, even.")
    int: WholeEnds | None = Field(
        None, description="Whole numbers between two, which are among them."
    )
    choice: Annotated[list[Any], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Any of these values."
    )

    @property
    def said(self) -> str:
        """The range in words."""
        if self.choice is not None:
            return f"one of {', '.join(map(str, self.choice))}"
        low, high = self.log or self.range or self.int or (math.nan, math.nan)
        how = ", in logarithms" if self.log else ""
        return f"from {low:g} to {high:g}{how}"


class Search(BaseModel):
    """A search for the best values of some keys."""

    model_config = STRICT
    space: Annotated[dict[Key, Range], Field(min_length=1, max_length=100)] = Field(
        description="Key: its range, as `{log: [1e-5, 1e-2]}`, `{range: [0.9, 1]}`, "
        "`{int: [1, 20]}` or `{choice: [tanh, relu]}`."
    )
    method: Literal["tpe", "gp", "random"] = Field(
        "tpe",
        description="tpe: tree-structured Parzen estimators. gp: Gaussian processes. random: each "
        "trial by itself.",
    )
    prune: Literal["none", "median", "hyperband", "wilcoxon"] = Field(
        "none",
        description="When a trial ends early. median, hyperband: by its returns beside those of "
        "others at that step. wilcoxon: by its first seeds beside those of the best trial.",
    )
    seeds: Annotated[int, Field(ge=1, le=100)] = Field(
        2, description="Seeds of each trial, scored together."
    )
    cost: bool = Field(
        False, description="Whether seconds of training are a second objective, to be small."
    )
    confirm: Annotated[int, Field(ge=1, le=100)] = Field(
        3,
        description="The best trials that are run again, with fresh seeds, as many as `seeds` of "
        "the experiment, before anything is said of them.",
    )
    trials: Count = Field(30, description="Trials at most; `budget` bounds them too.")
    storage: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = Field(
        None,
        description="URL of a database that several machines search with; null: a journal in the "
        "experiment's folder.",
    )
