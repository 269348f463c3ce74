"""A language model's task in requests for experiments."""

from collections.abc import Mapping
from typing import Any

from ppoc.draft.agent.lexer import lex
from ppoc.draft.drafting import Drafting
from ppoc.draft.experiment.fields import of_runs, table, takes
from ppoc.draft.experiment.reader import ExperimentReader
from ppoc.draft.models.grounding import Asked
from ppoc.draft.spec.drafts import Value

OWN = (
    *("seeds", "jobs", "compare.confidence", "compare.threshold", "budget.runs", "budget.steps"),
    *("budget.hours", "search.trials", "search.seeds", "search.confirm", "search.method"),
    "search.prune",
)
BASE = "base."


def task(reader: ExperimentReader, kinds: Mapping[str, Drafting]) -> Asked:
    """The task: fields of the experiment, and those of its base, of any kind of run.

    Alternatives, grids and ranges stay the reader's, as their values are no numbers of one field.
    """

    def fields() -> Mapping[str, Any]:
        runs = {f"{BASE}{p}": f for of in kinds.values() for p, f in of.asked.table().items()}
        return {**runs, **{path: table()[path] for path in OWN}}

    def paths() -> list[str]:
        runs = [f"{BASE}{path}" for of in kinds.values() for path in of.asked.paths()]
        return [*OWN, *dict.fromkeys(runs)]

    def taken(path: str, value: Any) -> str | None:
        if of_runs(path) is None:
            return takes(path, value, next(iter(kinds.values())))
        problems = [
            takes(path, value, of)
            for of in kinds.values()
            if path.removeprefix(BASE) in of.asked.table()
        ]
        return None if None in problems else problems[0]

    def check(values: dict[str, Value]) -> None:
        own = {p.removeprefix(BASE): v for p, v in values.items() if p.startswith(BASE)}
        for of in reversed(list(kinds.values())):
            if own and all(path in of.asked.table() for path in own):
                of.asked.check(own)
                return

    named = [f"{BASE}{path}" for of in kinds.values() for path in of.asked.named]
    texts = [f"{BASE}{path}" for of in kinds.values() for path in of.asked.texts]
    listed = {
        f"{BASE}{path}": values for of in kinds.values() for path, values in of.asked.listed.items()
    }
    return Asked(
        "experiments: several runs of an agent or of learning from human feedback, compared",
        fields,
        paths,
        tuple(named),
        tuple(texts),
        lex,
        reader.read,
        taken,
        check,
        listed,
    )
