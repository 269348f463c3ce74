"""All that drafting knows of experiments, over the kinds that their runs may be of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ppoc.draft.drafting import Drafting
from ppoc.draft.experiment.asked import task
from ppoc.draft.experiment.compose import compose
from ppoc.draft.experiment.describe import describe
from ppoc.draft.experiment.fields import ROOTS, steps
from ppoc.draft.experiment.reader import ExperimentReader
from ppoc.draft.spec.drafts import Draft, Value
from ppoc.draft.text.claims import Note, Reading


def experiments(kinds: Mapping[str, Drafting]) -> Drafting:
    """The drafting of experiments, whose runs are of some kinds."""
    reader = ExperimentReader(kinds)

    def composed(reading: Reading, name: str | None) -> Draft:
        return compose(reading, name, kinds)

    def fitted(
        full: dict[str, Value], below: Mapping[str, Any], notes: list[Note]
    ) -> dict[str, Value]:
        return full

    def missing_files(resolved: Any, folder: Path) -> list[Note]:
        first = next((cell.resolved for _, cell in resolved.examined if cell.resolved), None)
        return kinds[first.kind.name].missing_files(first, folder) if first is not None else []

    def drafted(text: str) -> Draft:
        return composed(reader.read(text), None)

    def lacks_environment(reading: Reading) -> bool:
        named = any(reading.claim(path) for path in ("base", "base.env.id", "tasks"))
        return (
            not named and reading.runs in kinds and kinds[reading.runs].lacks_environment(reading)
        )

    return Drafting(
        reader.is_one,
        reader.read,
        composed,
        fitted,
        lambda resolved: describe(resolved, kinds, drafted),
        task(reader, kinds),
        lambda resolved: [],
        missing_files,
        lambda reading: {},
        lambda path, value: None,
        lambda: list(ROOTS),
        steps,
        lacks_environment,
    )
