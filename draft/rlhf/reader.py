"""The offline engine for learning from human feedback: a request read into claims and notes.

A number belongs to the quantity that is nearest (attach.py); a quantity that several stages have,
such as epochs, belongs to the stage that is spoken of.
"""

import re
from collections.abc import Mapping
from typing import Any

from ppoc.draft.rlhf import files, stages
from ppoc.draft.rlhf.fields import defaults, takes
from ppoc.draft.rlhf.lexer import lex
from ppoc.draft.rlhf.points import read_points
from ppoc.draft.rlhf.request import RlhfRequest
from ppoc.draft.rlhf.stages import STAGES
from ppoc.draft.rlhf.terms import terms
from ppoc.draft.text.attach import attach
from ppoc.draft.text.claims import LOST, MAX_CHARACTERS, Claim, Note, Reading
from ppoc.draft.text.items import Item
from ppoc.draft.text.numbers import Number

ADAPTIVE_TARGET = 6.0  # nats, of Ziegler et al. 2019, where a request only says `adaptive`
FACTORS = {"half": 0.5, "double": 2.0, "triple": 3.0, "tenth": 0.1}
NUMBERED = ("stage", "step", "phase", "figure", "table", "section", "version", "eq")


def is_one(request: str, known: Mapping[str, Any] | None = None) -> bool:
    """Whether a request is for learning from human feedback, or edits a spec of that."""
    if known is not None:
        return known.get("kind") == "rlhf"
    items = lex(request[:MAX_CHARACTERS])
    named = any(item.names("kind") or item.names("stage") == ["sft"] for item in items)
    model = any(item.names("model") for item in items)
    data = any(item.names("file") for item in items)
    tune = re.search(r"\b(fine-?\s?tun|rlhf|align)", request, re.IGNORECASE) is not None
    return named or (model and (tune or data or _learns(items)))


def _learns(items: list[Item]) -> bool:
    return any(item.names("stage") for item in items)


class Reader(RlhfRequest):
    """Reads one request."""

    def read(self) -> Reading:
        """Everything that the request says."""
        stages.read(self)
        files.read(self)
        read_points(self)
        self._proportions()
        self._numbers()
        self._choices()
        self._switches()
        self._negations()
        self._adaptive()
        self._unsupported()
        self._leftovers()
        self.reading.claims = files.settled(self.reading.claims)
        return self.reading

    # ── Numbers ───────────────────────────────────────────────────────────────────────────────────

    def _numbers(self) -> None:
        entries = terms().data["quantities"]
        for at in sorted(self.free):
            before = self.items[at - 1].text if at else ""
            if before in NUMBERED:
                self.free.discard(at)
        self._unnamed()
        attached = attach(self.items, self.free, entries)
        for term, numbers in sorted(attached.items()):
            self.free -= set(numbers)
            name = self._quantity(term, numbers[0])
            if name is None:
                continue
            for number in numbers:
                self._claim_number(name, term, number)
            self._several(name, term, numbers)

    def _several(self, name: str, term: int, numbers: list[int]) -> None:
        """`KL 0.05 and 0.2`: values to try, of which a spec has the last."""
        before, self.reading = self.reading, Reading(self.reading.request, kind="rlhf")
        values: dict[str, list[Claim]] = {}
        for number in numbers if len(numbers) > 1 else ():
            self.reading.claims = []
            self._claim_number(name, term, number)
            for claim in self.reading.claims:
                values.setdefault(claim.path, []).append(claim)
        self.reading = before
        for path, claims in values.items():
            if len(claims) > 1:
                start, end = min(c.start for c in claims), max(c.end for c in claims)
                tried = [claim.value for claim in claims]
                self.reading.several.append(Claim(path, tried, start, end))

    def _proportions(self) -> None:
        """`halve the KL penalty`, of the value that a spec, or the language, has."""
        known = {**defaults(), **(self.known or {})}
        for at, item in enumerate(self.items):
            factor = next((FACTORS[name] for name in FACTORS if item.cue(name)), None)
            following = self.items[at + 1 : at + 7]
            term = next((i for i in following if i.quantity()), None)
            if factor is None or term is None or term.clause != item.clause:
                continue
            entry = terms().data["quantities"][term.names("quantity")[0]]
            stage = stages.of(self, self.items.index(term)) or entry.get("else")
            path = entry.get("path") or entry["paths"][stage]
            before = known.get(path)
            if isinstance(before, int | float) and not isinstance(before, bool):
                value: Any = float(f"{factor * before:.12g}")
                if value.is_integer() and takes(path, 0.5) is not None:
                    value = int(value)
                whose = "present" if self.known else "default"
                how = f"{factor:g} × {before:g}, the {whose} value"
                start, end = item.start, term.end
                if takes(path, value) is None:
                    self.reading.claims.append(Claim(path, value, start, end, how))

    def _unnamed(self) -> None:
        """`SFT at 1e-5`: a number that can only be a rate."""
        for at in sorted(self.free):
            number, before = self.items[at].number, self.items[at - 1] if at else None
            small = number is not None and 0 < number.value < 2e-3
            terms_near = [
                i for i in self.items[max(0, at - 4) : at + 3]
                if i.clause == self.items[at].clause and self._usual_for(i, number)
            ]  # fmt: skip
            if small and before is not None and before.text == "at" and not terms_near:
                self.free.discard(at)
                stage = stages.of(self, at) or "ppo"
                self.claim(f"{stage}.optimizer.lr", number.value, self.items[at])  # type: ignore[union-attr]

    def _usual_for(self, term: Item, number: Number | None) -> bool:
        """Whether an item is a term that a number is usual for."""
        ranges = [terms().data["quantities"][name]["usual"] for name in term.names("quantity")]
        return number is not None and any(low <= number.value <= high for low, high in ranges)

    def _quantity(self, term: int, number: int) -> str | None:
        """The quantity that a term stands for: of several, one that the number is usual for."""
        entries = terms().data["quantities"]
        value = self.items[number].number.value  # type: ignore[union-attr]
        names = self.items[term].names("quantity")
        usual = [n for n in names if entries[n]["usual"][0] <= value <= entries[n]["usual"][1]]
        name = next(iter(usual or names), None)
        if name == "kl_target" and value < entries[name]["usual"][0]:
            name = "target_kl" if "kl" in self.items[term].text else "beta"
        if name == "target_kl" and value > entries["target_kl"]["usual"][1]:
            name = "kl_target"
        if name == "lr" and self._is_critics(term, number):
            name = "value_lr"
        if name == "dropout" and any("lora_rank" in i.names("quantity") for i in self.items):
            name = "lora_dropout"
        if name == "samples" and not any(i.text.startswith("eval") for i in self.items):
            words = self.reading.words(self.items[number].start, self.items[term].end)
            text = "training draws one response to a prompt at a time; of an evaluation: say so"
            self.reading.notes.append(Note("cannot", words, text))
            return None
        return name

    def _is_critics(self, term: int, number: int) -> bool:
        """`the critic learns at 5e-5`, `separate value network with learning rate 1e-4`."""
        first, last = sorted((term, number))
        clause = self.items[term].clause
        row = [i for i in self.items[max(0, first - 6) : last + 4] if i.clause == clause]
        roles = [i for i in row if i.cue("critic", "policy") or "critic" in i.text or
                 any("ppo.value" in name for name in i.names("choice"))]  # fmt: skip
        return bool(roles) and not roles[-1].cue("policy")

    def _claim_number(self, name: str, term: int, at: int) -> None:
        item, place = self.items[at], self.items[term]
        entry, value = terms().data["quantities"][name], item.number.value  # type: ignore[union-attr]
        path = entry.get("path")
        if path is None:
            stage = (
                stages.of(self, min(at, term)) or stages.of(self, max(at, term)) or entry["else"]
            )
            later = stages.of(self, max(at, term))
            if later is not None and self._is_of_after(max(at, term)):
                stage = later
            path = entry["paths"][stage]
        exact: Any = int(value) if value.is_integer() and takes(path, 0.5) is not None else value
        if path == "model.tokenizer":
            exact = {"bpe": int(value)}
        if name == "missing_end":
            exact = -abs(value)
        self.claim(path, exact, item, place)

    def _is_of_after(self, at: int) -> bool:
        following = [i for i in self.items[at + 1 : at + 4] if i.clause == self.items[at].clause]
        return bool(following) and following[0].text in ("of", "for", "in", "during")

    # ── Words ─────────────────────────────────────────────────────────────────────────────────────

    def _choices(self) -> None:
        for at, item in enumerate(self.items):
            for name in item.names("choice"):
                path, _, value = name.partition("=")
                if self.negated(at):
                    continue
                path = path.replace("{stage}", stages.of(self, at) or "ppo")
                if path == "reward.start" and not self._about_reward(at):
                    continue
                self.claim(path, value, item)

    def _about_reward(self, at: int) -> bool:
        return self.stages == ["reward"] or "reward" in self.items[at].text

    def _switches(self) -> None:
        for at, item in enumerate(self.items):
            for path in item.names("switch"):
                entry = terms().data["switches"][path]
                self.claim(path, entry["off" if self.negated(at) else "on"], item)

    def _negations(self) -> None:
        """`no KL penalty`: terms without a number that a negation turns off."""
        off, entries = terms().data["off"], terms().data["quantities"]
        for at, item in enumerate(self.items):
            names = [name for name in item.names("quantity") if name in off]
            if not names or not self.negated(at):
                continue
            path, value = entries[names[0]].get("path"), off[names[0]]
            if value == "lora":
                path, value = "model.lora", None
            own = stages.of(self, at)
            ones = [path] if path else [
                entries[names[0]]["paths"][stage]
                for stage in ([own] if own else self.stages or STAGES)
            ]  # fmt: skip
            for one in ones:
                if self.reading.claim(one) is None:
                    self.claim(one, value, item)

    def _adaptive(self) -> None:
        """`adaptive KL` without a target has that of those who made it."""
        for at, item in enumerate(self.items):
            adaptive = item.text.startswith("adaptive kl")
            if adaptive and not self.negated(at) and self.reading.claim("ppo.kl.target") is None:
                how = "the target of Ziegler et al. 2019"
                claim = Claim("ppo.kl.target", ADAPTIVE_TARGET, item.start, item.end, how)
                self.reading.claims.append(claim)

    def _unsupported(self) -> None:
        for at, item in enumerate(self.items):
            for name in item.names("unsupported"):
                if not self.negated(at) or self.items[at - 1].text == "instead of":
                    text = terms().data["unsupported"][name]["text"]
                    words = self.reading.words(item.start, item.end)
                    self.reading.notes.append(Note("cannot", words, text))

    def _leftovers(self) -> None:
        """Numbers that belong to nothing, told rather than dropped."""
        for at in sorted(self.free):
            item = self.items[at]
            before = self.items[at - 1].text if at else ""
            if before not in NUMBERED and item.text not in ("one", "single", "once"):
                words = self.reading.words(item.start, item.end)
                self.reading.notes.append(Note("question", words, LOST))


def read(request: str, known: Mapping[str, Any] | None = None) -> Reading:
    """Read a request for learning from human feedback.

    Raises:
        RequestError: it is too long.
    """
    return Reader(request, known).read()
