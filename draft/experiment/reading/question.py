"""The question of an experiment, in the words of the request."""

import re

from ppoc.draft.experiment.reading.plan import Plan
from ppoc.draft.text.claims import Claim, Reading

ASKS = re.compile(r"(?:can|could|would|will) (?:you|we)\b|please\b", re.IGNORECASE)
GREETING = re.compile(r"^(?:hi|hey|hello|so|ok|well|and|but|hm+|um)\b[ ,!]*", re.IGNORECASE)


def question(whole: Plan, found: Reading) -> list[Claim]:
    """The sentence that asks what is compared, if one does."""
    said = [span for group in whole.groups for span in (group.cover, *group.frame)]
    said += [
        (c.start, c.end) for c in found.claims if c.path.startswith(("vary.", "search.space."))
    ]
    for token in whole.row.tokens:
        if token.item.text != "?":
            continue
        end = token.end
        start = _start(whole.request, token.start)
        text = whole.request[start:end]
        greeting = GREETING.match(text)
        start += greeting.end() if greeting else 0
        text = " ".join(whole.request[start:end].split())
        inside = any(start <= first and last <= end for first, last in said)
        if inside and not ASKS.search(text) and len(text) <= 1000:
            return [Claim("question", text, start, end)]
    return []


def _start(request: str, end: int) -> int:
    """Where the sentence begins that ends at a place."""
    before = [m.end() for m in re.finditer(r"[.!?;:]\s+|\n", request[:end])]
    start = before[-1] if before else 0
    return start + len(request[start:end]) - len(request[start:end].lstrip())
