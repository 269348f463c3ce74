"""A request as a row of items: numbers, terms of the glossary, environments, words, punctuation."""

import re
from dataclasses import replace

from ppoc.draft.agent import environments
from ppoc.draft.text.glossary import WORD, corrected, even, glossary
from ppoc.draft.text.items import NOTHING, Item, Meanings, in_clauses, list_at
from ppoc.draft.text.number_words import Word, language_of, scale_of, words_at
from ppoc.draft.text.numbers import Number, chinese_at, digits_at

# Letters that are symbols only in their own case and before an equals sign.
_SYMBOLS = {"T": "steps_per_env", "N": "num_envs", "M": "minibatch_size", "K": "epochs"}
_SYMBOL = re.compile(r"([TNMK])\s*=\s*(?=\d)")
_SAME = str.maketrans(",。;:=()%！？、“”‘’", ",.;:=()%!?,\"\"''")
SEPARATORS = (",", "and", "but", "while", "und", "et", "y", "|", "/")


def lex(request: str) -> list[Item]:
    """The items of a request, in order; every place is one of the request."""
    text = _folded(request)
    raw = _pieces(request, text)
    language = language_of([item.text for item in raw if item.is_word])
    items: list[Item] = []
    at = 0
    while at < len(raw):
        item, taken = _longest(raw, at, language)
        items.append(item)
        at += taken
    return in_clauses(_misspelt_environments(_percent(items), text), _separates)


def _folded(request: str) -> str:
    """The request in small letters and plain punctuation, each character at its place."""
    text = "".join(c.lower() if len(c.lower()) == 1 else c for c in request)
    return text.replace("−", "-").replace("’", "'").translate(_SAME)


def _pieces(request: str, text: str) -> list[Item]:
    """Words, digits and punctuation, one by one."""
    found: list[Item] = []
    at = 0
    while at < len(text):
        piece = None if text[at].isspace() and text[at] != "\n" else _piece(request, text, at)
        if piece is None:
            at += 1
            continue
        found.append(piece)
        at = piece.end
    return found


def _piece(request: str, text: str, at: int) -> Item | None:
    symbol = _SYMBOL.match(request, at)
    starts_word = at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")
    if symbol and starts_word:
        name = _SYMBOLS[symbol[1]]
        return Item(at, at + 1, symbol[1], frozenset({("quantity", name)}))
    short = re.match(r"w/(o\b)?", text[at : at + 4]) if starts_word else None
    if short:
        return Item(at, at + short.end(), "without" if short[1] else "with")
    found = environments.id_at(request, at) if starts_word else None
    if found:
        return Item(at, found.end(), found[0], frozenset({("id", found[0])}))
    many = list_at(text, at)
    if many:
        return Item(at, many.end, "[", number=many)
    for read in (digits_at, chinese_at):
        number = read(text, at)
        if number is not None:
            return Item(at, number.end, text[at : number.end], number=number)
    word = WORD.match(text, at)
    if word:
        return Item(at, word.end(), corrected(word[0]))
    return Item(at, at + 1, text[at])


def _longest(raw: list[Item], at: int, language: str) -> tuple[Item, int]:
    """The longest name, phrase or number that starts at a piece, and of how many pieces it is."""
    first = raw[at]
    if first.number is not None or first.meanings or not (first.is_word or first.text in "=~-+"):
        return first, 1
    run = _run(raw, at)
    spelled = words_at([Word(item.text, item.start, item.end) for item in run], language)
    phrase = _phrase(run)
    name = _name(run)
    best = max(
        (choice for choice in (spelled, name, phrase) if choice is not None),
        key=lambda choice: choice[1],
        default=None,
    )
    if best is None:
        return first, 1
    found, words = best
    last = run[words - 1]
    taken = next(i for i in range(at, len(raw)) if raw[i] is last) - at + 1
    joined = " ".join(item.text for item in run[:words])
    if isinstance(found, Number):
        return Item(first.start, last.end, joined, _meanings(run[:words]), found), taken
    return Item(first.start, last.end, joined, found, length=words), taken


def _run(raw: list[Item], at: int) -> list[Item]:
    """Words from a place on that could be one phrase: joined by spaces, hyphens or underscores."""
    run = [raw[at]]
    for item in raw[at + 1 : at + 2 * glossary().longest]:
        if item.text in ("-", "_", "+", "*", "‐") and not item.is_word:
            continue
        if not item.is_word or item.meanings:
            break
        run.append(item)
    return run


def _meanings(run: list[Item]) -> Meanings:
    terms = glossary()
    words = tuple(item.text for item in run)
    own = terms.exact.get(words)
    return own or terms.evened.get(tuple(map(even, words)), NOTHING)


def _phrase(run: list[Item]) -> tuple[Meanings, int] | None:
    for length in range(min(len(run), glossary().longest), 0, -1):
        meanings = _meanings(run[:length])
        if meanings:
            return meanings, length
    return None


def _name(run: list[Item]) -> tuple[Meanings, int] | None:
    for length in range(min(len(run), environments.longest_name()), 0, -1):
        name = environments.named("".join(item.text for item in run[:length]))
        if name is not None:
            # Longer by a hair, so that a name wins over a phrase of as many words.
            return frozenset({("environment", name)}), length
    return None


def _percent(items: list[Item]) -> list[Item]:
    """`20 %` as 0.2, and `10 million` as 10,000,000."""
    found: list[Item] = []
    for item in items:
        number = found[-1].number if found else None
        if number is not None and item.text in ("%", "percent", "prozent", "porciento"):
            value = float(f"{number.value / 100:.12g}")
            whole = replace(number, value=value, end=item.end)
            found[-1] = replace(found[-1], end=item.end, number=whole)
        elif number is not None and not number.many and scale_of(item.text):
            value = float(f"{number.value * (scale_of(item.text) or 1):.12g}")
            whole = replace(number, value=value, end=item.end, scaled=True)
            found[-1] = replace(found[-1], end=item.end, number=whole)
        else:
            found.append(item)
    return found


def _misspelt_environments(items: list[Item], text: str) -> list[Item]:
    """Names of environments that only look like one, where no environment is named outright."""
    if any(item.names("environment") or item.names("id") for item in items):
        return items
    for length in (3, 2, 1):
        for at in range(len(items) - length + 1):
            part = items[at : at + length]
            if not all(item.is_word and item.length == 1 and item.number is None for item in part):
                continue
            if any(item.names("cue") or item.names("algorithm") for item in part):
                continue
            start, end = part[0].start, part[-1].end
            words = re.sub(r"[\s_-]", "", text[start:end])
            unknown = not all(item.meanings for item in part)
            name = environments.alike(words) if unknown else None
            if name is not None:
                whole = Item(start, end, words, frozenset({("environment", name)}))
                return [*items[:at], whole, *items[at + length :]]
    return items


def _separates(items: list[Item], at: int) -> bool:
    return items[at].text in SEPARATORS and not _joins_roles(items, at)


def _joins_roles(items: list[Item], at: int) -> bool:
    """`policy and value function`: one subject."""
    following = [i for i in items[at + 1 : at + 3] if i.text not in ("the", "a")]
    sides = [items[at - 1], *following[:1]] if at else []
    return len(sides) == 2 and all(i.cue("actor", "critic") for i in sides)
