"""The results of an experiment, results.json: its runs, how far each is, and what it scored."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ppoc.formats.documents import Format, read_document
from ppoc.formats.files import write_whole
from ppoc.formats.reading import FormatError

NAME = "results.json"
FORMAT = Format("experiment's results", 1)
MAX_RUNS = 100_000

State = Literal["waiting", "running", "finished", "failed", "stopped"]
Text = Annotated[str, Field(max_length=10_000)]
# One component of a path, which leads nowhere else.
Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._=,+-]{0,199}$")]


class Document(BaseModel):
    """A part of results.json; strangers may have written it, so that nothing is coerced."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class RunRecord(Document):
    """One run of an experiment: a setting on a task with a seed.

    Attributes:
        run: the name of its folder, in the experiment's.
        task: the environment; empty where runs have none.
        reason: why it failed or stopped, in a line.
        steps: those it has taken.
        seconds: that it has trained for.
        score: mean return of its last evaluation, or its kind's own measure; more is better.
        threads: of torch, which the bits of large networks depend on: it goes on with as many.
    """

    run: Folder
    setting: Text
    task: Text
    seed: int
    state: State = "waiting"
    reason: Text | None = None
    steps: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None


class ExperimentRecord(Document):
    """An experiment: what it asks, and its runs.

    Attributes:
        question: that it is to answer, in words.
        baseline: the setting that others are compared with.
        confidence: of its intervals.
        threshold: return at which a run has solved its task.
        margin: difference of scores that matters.
        scores: task → the scores that count as 0 and as 1, where several tasks are joined.
        settings: what is compared, in order.
    """

    name: Text
    question: Text | None = None
    baseline: Text | None = None
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    scores: dict[str, tuple[float, float]] = Field(default_factory=dict)
    settings: list[Text]
    runs: Annotated[list[RunRecord], Field(max_length=MAX_RUNS)]


def read(folder: Path) -> ExperimentRecord:
    """The results of an experiment's folder.

    Raises:
        OSError: they are missing or cannot be read.
        FormatError: they are none; NewerError: they are of a newer version.
    """
    row = FORMAT.current(read_document(folder / NAME))
    row.pop("format")
    try:
        # JSON has no tuples.
        return ExperimentRecord.model_validate_json(json.dumps(row))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step)[:80] for step in first["loc"])
        raise FormatError(f"{where}: {first['msg']}") from None


def write(folder: Path, record: ExperimentRecord) -> None:
    """Write the results of an experiment into its folder; raises OSError where it cannot."""
    row = {"format": FORMAT.version, **record.model_dump(mode="json")}
    write_whole(folder / NAME, json.dumps(row, indent=2, ensure_ascii=False) + "\n")
