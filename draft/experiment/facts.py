"""Phrases about the experiment as a whole: seeds, budgets, how surely, where, and how it searches."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ppoc.draft.experiment.row import TAKEN, Found, Row
from ppoc.draft.experiment.view import Span
from ppoc.draft.text.claims import Claim, Note, plain

MOST = 1000  # seeds
LONG = 10_000  # steps of a run; fewer, `each`, are those of an environment
AT_MOST = r"(?:at most|no more than|not more than|up to|at the most|within|under|less than|max|maximum|limited to|a budget of|budget of|budget)"
AFTER = r"(?: (?:at most|at the most|max|maximum|or less|in total|altogether|together|of compute))*"
BEFORE = r"(?:(?:and |& )?(?:averaged |average )?(?:over|with|using|use|for|across|on|say|und|mit|avec|con) )?(?:the )?"
KINDS = r"(?:different |random |independent |fresh |new |training |separate |distinct |full |verschiedene )*"
SEEDS = r"(?:seeds|repetitions|repeats|replicates|replications|runs|graines|semillas)"
ONE = r"(?:run|seed|variant|setting|algorithm|task|agent|arm|method|environment|configuration|config|model|one|of them)"
EACH = rf"(?:each|apiece|per {ONE}|(?:a|an|each|every) {ONE}|for (?:each|every)(?: {ONE})?|in each {ONE}|je|jeweils|chacun)"
STEPS = r"(?:steps|step|timesteps|time steps|env steps|environment steps|frames|interactions|schritte|pas|pasos)"
HOURS = {"h": 1.0, "m": 1 / 60, "d": 24.0, "s": 1.0}
TOTAL = r"(?:in total|altogether|overall|in all|for everything|for all runs|across all runs|for all of them)"


@dataclass
class Facts:
    """Claims about the experiment, and the words that they are read from.

    Attributes:
        baseline: words for the setting that others are compared with.
        searches: whether something is to be searched for.
    """

    claims: list[Claim] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left_out: list[Span] = field(default_factory=list)
    baseline: Found | None = None
    searches: bool = False

    def value(self, path: str) -> Any:
        """The value that is claimed for a path, or None."""
        return next((claim.value for claim in self.claims if claim.path == path), None)


@dataclass(frozen=True)
class Phrase:
    """A pattern of words, and the value that they give a path; None of it is no value."""

    path: str
    pattern: str
    value: Callable[[Found], Any]


def _whole(found: Found) -> int | None:
    value = found.numbers[0].value
    return int(value) if value.is_integer() and value >= 1 else None


def _share(found: Found) -> float | None:
    value = found.numbers[0].value
    value = value / 100 if value > 1 else value
    return float(f"{value:.12g}") if 0.5 <= value < 1 else None


def _number(found: Found) -> float:
    value = found.numbers[0].value
    return int(value) if value.is_integer() else value


def _hours(found: Found) -> float | None:
    unit = next(t.text for t in found.tokens if t.text[:1] in HOURS and re.match(TIME, t.text))
    value = float(f"{found.numbers[0].value * HOURS[unit[0]]:.6g}")
    return value if value > 0 else None


def _is(value: Any) -> Callable[[Found], Any]:
    return lambda found: value


TIME = r"(?:hours?|hrs?|h|minutes?|mins?|days?|stunden|heures|horas)$"
_TIME = TIME.removesuffix("$")
PHRASES: tuple[Phrase, ...] = (
    Phrase("search.seeds", rf"{BEFORE}# {KINDS}seeds? (?:per|a|each|every|for each|for every) trials?", _whole),
    Phrase("search.confirm", r"(?:and )?(?:then )?(?:confirm|confirming|verify|validate|re ?run|retrain|repeat|check)(?: the)? (?:best|top) #(?: with fresh seeds| with new seeds| again| trials?)*", _whole),
    Phrase("search.confirm", r"(?:and )?(?:then )?(?:confirm|confirming|verify|validate|re ?run|retrain|repeat|check)(?: the)? # best(?: with fresh seeds| with new seeds| again| trials?)*", _whole),
    Phrase("search.trials", rf"{BEFORE}(?:{AT_MOST} )?# (?:trials|configurations|configs){AFTER}", _whole),
    Phrase("search.method", r"(?:with |by |using )?(?:a )?random search", _is("random")),
    Phrase("search.method", r"(?:with |by |using )?(?:a )?(?:gaussian process(?:es)?|gps?|bayesian optimi[sz]ation)", _is("gp")),
    Phrase("search.method", r"(?:with |by |using )?(?:tpe|tree structured parzen estimators?)", _is("tpe")),
    Phrase("search.prune", r"(?:with |by |using )?hyperband(?: pruning| pruner)?", _is("hyperband")),
    Phrase("search.prune", r"(?:with |by |using )?(?:a |the )?median (?:pruning|pruner|stopping)", _is("median")),
    Phrase("search.prune", r"(?:with |by |using )?wilcoxon(?: pruning| pruner)?", _is("wilcoxon")),
    Phrase("search.prune", r"(?:with |by |using )?(?:no pruning|without pruning)", _is("none")),
    Phrase("search.cost", r"(?:and |with )?(?:training )?(?:time|cost) as (?:a |the )?(?:second|another) objective", _is(True)),
    Phrase("budget.runs", rf"(?:and )?{AT_MOST} # runs{AFTER}", _whole),
    Phrase("budget.runs", r"# runs (?:at most|at the most|max|maximum|in total|altogether)", _whole),
    Phrase("budget.runs", r"(?<=hours and )(?:at most )?# runs", _whole),
    Phrase("budget.hours", rf"(?:and |for |in )?(?:{AT_MOST} )*# {_TIME}{AFTER}", _hours),
    Phrase("budget.steps", rf"(?:and )?(?:{AT_MOST} )*# {STEPS} {TOTAL}", _whole),
    Phrase("budget.steps", rf"(?:and )?(?:{TOTAL} )(?:{AT_MOST} )*# {STEPS}", _whole),
    Phrase("compare.confidence", rf"{BEFORE}(?:(?:a|an) )?# (?:bootstrap |stratified )*(?:confidence intervals?|confidence levels?|confidence|intervals?|cis?)", _share),
    Phrase("compare.confidence", r"(?:and |with |at )?(?:a )?confidence(?: level)?(?: of| =| :| is)* #", _share),
    Phrase("compare.threshold", r"(?:and |, )?(?:reach(?:es|ing)?|steps to|to reach|solved at|until (?:it|they) reach(?:es)?)(?: (?:a|the|of|return|returns|reward|score|threshold|at|=|:))* #", _number),
    Phrase("compare.threshold", r"(?:and |with )?(?:a |the )?(?:return |score |reward |solving )?threshold(?: (?:of|at|is|=|:|return))* #", _number),
    Phrase("compare.margin", r"(?:and |with )?(?:a |the )?margin(?: (?:of|is|=|:))* #", _number),
    Phrase("engine.name", r"(?:on|with|using|via) (?:a |the |our |my )?ray(?: cluster)?", _is("ray")),
    Phrase("engine.name", r"(?:on|with|using|via|through) (?:a |the |our |my )?slurm(?: cluster)?", _is("slurm")),
    Phrase("jobs", r"(?:and |with )?# (?:jobs|runs|processes)?(?: ?(?:at a time|side by side|at once|simultaneously|in parallel))", _whole),
    Phrase("jobs", r"(?:and |with )?# (?:parallel )?jobs", _whole),
)  # fmt: skip
_NAMED = r"(?:the |a |an |plain |standard |vanilla |default )*(?P<words>@alg|(?:with|without|no) [\w.]+|[\w.]+(?: - [\w.]+)*)"
BASELINES = (
    rf"(?:with |and |, )*{_NAMED} (?:as|is|being|for) (?:the |a |our )?baseline",
    r"(?:the |our |with |and )*baseline(?: is| :| =)* (?P<words>@alg)",
    r"(?:the |our |with |and )*baseline (?:is|:|=) (?P<words>[\w.]+(?: - [\w.]+)*)",
    r"relative to (?:the |plain )?(?P<words>@alg)",
)
SEARCHES = (
    r"(?:tune|tuning|tuned|search|searching|hyperparameter|hyperparameters|optuna|optimi[sz]e|optimi[sz]ing"
    r"|find (?:me )?(?:the |a )?(?:best|optimal|right|good)|look for (?:the )?(?:best|optimal))"
)


def read_facts(row: Row) -> Facts:
    """Everything that a request says about an experiment as a whole; its words count as read."""
    facts = Facts()
    facts.searches = any(True for _ in row.find(SEARCHES))
    for phrase in PHRASES:
        for found in row.find(phrase.pattern):
            _claim(row, facts, phrase.path, phrase.value(found), found)
    for found in row.find(SEARCHES):
        take(row, facts, found)
    _seeds(row, facts)
    _each(row, facts)
    _baseline(row, facts)
    return facts


def take(row: Row, facts: Facts, found: Found) -> None:
    """Count words as read, and leave them out of what readers of runs see."""
    facts.left_out.append(found.span)
    row.take(found.first, found.last)


def _claim(row: Row, facts: Facts, path: str, value: Any, found: Found, how: str = "") -> None:
    if value is None:
        return
    words = plain(row.request[found.start : found.end])
    earlier = facts.value(path)
    if earlier is not None and earlier != value:
        text = f"`{path}` is said twice: taking {value}, the last"
        facts.notes.append(Note("question", words, text))
        facts.claims = [claim for claim in facts.claims if claim.path != path]
    facts.claims.append(Claim(path, value, found.start, found.end, how))
    take(row, facts, found)


def _seeds(row: Row, facts: Facts) -> None:
    """`five seeds`, `seeds 3, 5 and 8`, `8 independent runs`, `repeated 5 times`."""
    row_of = r"(?:(?: (?:,|and|&|or|und|et|y))+ #)+"
    for found in row.find(rf"{BEFORE}{KINDS}seeds?(?: (?::|=|of))* #{row_of}"):
        _claim(row, facts, "seeds", _seed_list([n.value for n in found.numbers]), found)
    for found in row.find(rf"{BEFORE}{KINDS}seeds (?:from )?# (?:to|through|until|-|bis) #"):
        first, last = (int(n.value) for n in found.numbers)
        many = list(range(first, last + 1)) if 0 <= last - first < MOST else None
        _claim(row, facts, "seeds", many, found)
    for found in row.find(rf"{BEFORE}{KINDS}seeds(?: (?::|=))* #"):
        number = found.numbers[0]
        words = plain(row.request[found.start : found.end])
        if number.many:
            dashes = len(number.many) == 2 and row.request[number.start] not in "[({"
            ends = [int(v) for v in number.many]
            many = [float(v) for v in range(ends[0], ends[1] + 1)] if dashes else number.many
            _claim(row, facts, "seeds", _seed_list(many), found)
        elif (count := _whole(found)) is not None:
            text = f"{count} seeds, 1 to {count}; of the one seed {count}, say `seed {count}`"
            facts.notes.append(Note("question", words, text))
            _claim(row, facts, "seeds", count, found)
    repeat = r"(?:repeat(?:ed|ing)?|run|train(?:ed)?)(?: \w+){0,3}? # times(?: each)?"
    for pattern in (rf"{BEFORE}# {KINDS}{SEEDS}(?: {EACH})?", repeat):
        for found in row.find(pattern):
            count = _whole(found)
            if count is not None and count > MOST:
                words = plain(row.request[found.start : found.end])
                facts.notes.append(Note("cannot", words, f"between 1 and {MOST} seeds, please"))
                take(row, facts, found)
            else:
                _claim(row, facts, "seeds", count, found)
    for found in row.find(
        rf"{BEFORE}(?:a few|several|multiple|many|some|a couple of) {KINDS}seeds"
    ):
        words = plain(row.request[found.start : found.end])
        facts.notes.append(Note("question", words, "how many seeds? 5, the language's"))
        _claim(row, facts, "seeds", 5, found, "default")


def _seed_list(values: Sequence[float]) -> list[int] | None:
    whole = all(value.is_integer() and 0 <= value < 2**31 for value in values)
    return list(dict.fromkeys(int(value) for value in values)) if whole else None


def _each(row: Row, facts: Facts) -> None:
    """`a million steps each`: of a run, not of an environment in a rollout."""
    for found in row.find(rf"# {STEPS} (?P<each>{EACH})"):
        if found.numbers[0].value >= LONG and (each := row.part(found, "each")) is not None:
            take(row, facts, each)
    for found in row.find(
        rf"(?P<each>(?:each|every) run (?:takes|lasts|has|is|gets|trains for))(?: \w+)? # {STEPS}"
    ):
        if (each := row.part(found, "each")) is not None:
            take(row, facts, each)


def _baseline(row: Row, facts: Facts) -> None:
    for pattern in BASELINES:
        for found in row.find(pattern):
            words = row.part(found, "words")
            if facts.baseline is None and words is not None and TAKEN not in words.text:
                facts.baseline = words
                take(row, facts, found)
