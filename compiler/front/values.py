"""Kinds of values that the spec languages share, and how strictly these are read."""

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

VERSION = 1

# Strict everywhere: "yes" is no boolean and "0.2" no number. Whole numbers pass for floats.
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _no_bool(value: Any) -> Any:
    """Refuse true, which Python takes for 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


One = Annotated[Literal[1], BeforeValidator(_no_bool)]
Count = Annotated[int, Field(ge=1, le=10**12)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
ENV_ID = r"^[A-Za-z0-9][A-Za-z0-9_./:-]{0,127}$"
EnvId = Annotated[str, StringConstraints(pattern=ENV_ID)]
KEY = r"^[^\W\d]\w*(\.[^\W\d]\w*){0,15}$"  # of a value, with those of its sections before it
OptionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Formula = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Point = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]
Points = Annotated[list[Point], Field(min_length=2, max_length=100)]
Schedule = Literal["constant", "linear", "cosine"] | Points
SCHEDULE = (
    "linear: to 0 at the end of training; cosine: likewise, along half a wave; or points "
    "[progress, factor], joined by straight lines, with progress from 0 to 1."
)
CodeName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,127}:[A-Za-z_][A-Za-z0-9_.]{0,127}$")
]
Option = bool | int | float | str | list[int | float | str]
Options = dict[OptionName, Option]
WrapperName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.:]{0,255}$")]


class Lock(BaseModel):
    """The facts that `ppoc compile` adds to a lock."""

    model_config = STRICT
    format: One = 1
    versions: dict[str, str] = Field(default_factory=dict)
    code_folders: list[str] = Field(
        default_factory=list, description="Where code that the spec names was found beside it."
    )


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a type is, or may be besides null; a list or mapping of some is none."""
    parts = () if get_origin(annotation) in (dict, list) else get_args(annotation)
    for part in (annotation, *parts):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None
