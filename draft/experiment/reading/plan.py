"""A request taken apart: what it says of the experiment, and the alternatives of its runs."""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from ppoc.draft.drafting import Drafting
from ppoc.draft.experiment.reading.chains import compared
from ppoc.draft.experiment.reading.facts import Facts, read_facts
from ppoc.draft.experiment.reading.groups import Alternative, Group, asked_about, with_and_without
from ppoc.draft.experiment.reading.ranges import ranges, tasks, usual_ranges
from ppoc.draft.experiment.reading.row import Row
from ppoc.draft.experiment.reading.tried import tried
from ppoc.draft.experiment.reading.view import Piece, Span, View, view
from ppoc.draft.text.claims import Claim, Note, Reading, RequestError, plain

MOST_ALTERNATIVES, MOST_GROUPS = 20, 6
MOST_READ = 30_000  # characters, of all alternatives; each is read with the whole request
QUOTED = re.compile(r"(?:the )?question(?: is)?\s*:?\s*[\"“]([^\"”]{1,1000})[\"”]\s*[.;,]?", re.I)
LABEL = re.compile(r"\b(?:variant|setting|arm)\s+([A-Za-z0-9][\w.+-]*)\s*:\s*", re.IGNORECASE)
EXPLICIT = re.compile(
    r"\b(?P<verb>vary|search)\s+(?P<key>[A-Za-z_]\w*(?:\.\w+)+)\s+over\s+"
    r"(?P<values>\[(?:[^\[\]\n]|\[[^\[\]\n]{0,200}\]){1,500}\]|\{[^{}\n]{1,500}\})",
    re.IGNORECASE,
)
BASELINE = re.compile(r"\bbaseline(?:\s+is)?\s*[:=]?\s*[\"“]([^\"”]{1,200})[\"”]", re.IGNORECASE)
NOTHING = re.compile(
    r"(?:nothing (?:is )?changed|as (?:it|the base) is|unchanged|as the base)\s*$", re.I
)


@dataclass
class Plan:
    """A request, its words about the experiment, and groups of alternatives."""

    request: str
    of: Drafting  # the kind of its runs
    kind: str
    row: Row
    facts: Facts
    groups: list[Group]

    def view(self, chosen: dict[int, int], otherwise: int | None = None) -> View:
        """The text of the runs that have an alternative of each group: the first, if not chosen.

        Args:
            otherwise: a group whose other words for the second alternative are to be taken.
        """
        replaced: list[tuple[Span, tuple[Piece, ...]]] = []
        left_out = [*self.facts.left_out]
        for number, group in enumerate(self.groups):
            at = chosen.get(number, 0)
            nothing = at == len(group.alternatives)
            alternative = Alternative((), group.cover) if nothing else group.alternatives[at]
            other = group.otherwise if number == otherwise else None
            pieces = alternative.pieces if other is None else other
            replaced.append((group.cover, pieces))
            left_out += [*group.frame, *alternative.drops]
        covers = [cover for cover, _ in replaced]
        for found in self.joints:
            if not any(start <= found[0] < end for start, end in covers):
                replaced.append((found, ("vs",)))
        return view(self.request, left_out, replaced)

    @cached_property
    def joints(self) -> list[Span]:
        """Words between numbers that compare them: `0.9 beats 0.95`."""
        row = self.row
        pattern = r"# (?P<joint>{AGAINST})(?: of| a| an| the)* #"
        parts = [row.part(found, "joint") for found in row.find(pattern)]
        return [part.span for part in parts if part is not None]

    def read(self, chosen: dict[int, int], otherwise: int | None = None) -> Reading:
        """The runs' own reading of a view, at the places of the request."""
        seen = self.view(chosen, otherwise)
        reading = self.of.read(seen.text, None)
        reading.claims = [seen.claim(claim) for claim in reading.claims]
        reading.several = [seen.claim(claim) for claim in reading.several]
        return reading


def plan(request: str, of: Drafting, kind: str) -> Plan:
    """The plan of a request, as far as phrases of experiments are in it.

    Raises:
        RequestError: it is too long for as many things as it compares.
    """
    row = Row(request)
    quoted = _quoted(row)
    explicit = _explicit(row)
    labelled = _labelled(row)
    facts = read_facts(row)
    if quoted is not None:
        claim, span = quoted
        facts.claims.append(claim)
        facts.left_out.append(span)
    facts.claims += explicit
    facts.left_out += [(claim.start, claim.end) for claim in explicit]
    tasks(row, facts)
    groups = [
        *labelled,
        *tried(row, facts),
        *ranges(row, facts),
        *usual_ranges(row, facts),
        *with_and_without(row),
    ]
    groups += islice(compared(row, of.asked.lex(request)), MOST_GROUPS + 1)
    groups += asked_about(row)
    made: list[Group] = []
    for group in groups:  # of two that overlap, the first
        if len(made) == MOST_GROUPS or len(group.alternatives) > MOST_ALTERNATIVES:
            words = plain(request[slice(*group.cover)])
            text = (
                f"an experiment drafted from English compares {MOST_ALTERNATIVES} things at most, "
                f"in {MOST_GROUPS} rows"
            )
            facts.notes.append(Note("cannot", words, text))
        elif all(group.cover[1] <= g.cover[0] or g.cover[1] <= group.cover[0] for g in made):
            made.append(group)
    readings = sum(len(group.alternatives) for group in made)
    if readings * len(request) > MOST_READ:
        raise RequestError(
            f"the request compares {readings} things in {len(request):,} characters, which takes "
            f"too long to read; of so many, {MOST_READ // readings:,} characters are read"
        )
    return Plan(request, of, kind, row, facts, made)


def _quoted(row: Row) -> tuple[Claim, Span] | None:
    """`The question is "…"`, whose words ask for nothing else."""
    match = QUOTED.search(row.request)
    if match is None:
        return None
    _take(row, match.span())
    return Claim("question", " ".join(match[1].split()), match.start(1), match.end(1)), match.span()


def _explicit(row: Row) -> list[Claim]:
    """`vary networks.actor.activation over [tanh, relu]`, `the baseline is "lr=0.1"`."""
    found = []
    for match in EXPLICIT.finditer(row.request):
        values = _yaml(match["values"])
        root = "vary" if match["verb"].lower() == "vary" else "search.space"
        if isinstance(values, list if root == "vary" else dict) and values:
            found.append(Claim(f"{root}.{match['key']}", values, *match.span()))
            _take(row, match.span())
    for match in BASELINE.finditer(row.request):
        found.append(Claim("compare.baseline", match[1], *match.span()))
        _take(row, match.span())
    return found


def _yaml(text: str) -> Any:
    """A short value of YAML; None where it is none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        return None


def _labelled(row: Row) -> list[Group]:
    """`Variant a: …; variant b: …`: alternatives with names of their own."""
    labels = [*LABEL.finditer(row.request)]
    made = []
    for number, label in enumerate(labels, 1):
        end = labels[number].start() if number < len(labels) else len(row.request)
        text = row.request[label.end() : end]
        stop = re.search(r"[.](?=\s|$)", text)
        text = (text[: stop.start()] if stop else text).rstrip(" ;,\n")
        span = (label.end(), label.end() + len(text))
        nothing = not text or NOTHING.match(text) is not None
        pieces: tuple[Piece, ...] = () if nothing else ("; actually", span, ";")
        words = (label.start(), max(span[1], label.end(1)))
        made.append((words, Alternative(pieces, words, name=label[1])))
    if not made:
        return []
    cover = (made[0][0][0], made[-1][0][1])
    _take(row, cover)
    return [Group(cover, [alternative for _, alternative in made])]


def _take(row: Row, span: Span) -> None:
    own = [i for i, token in enumerate(row.tokens) if span[0] <= token.start < span[1]]
    if own:
        row.take(own[0], own[-1] + 1)
