"""Numbers in words, in the languages of papers and forums.

Cardinals are text2num's work; this file adds what requests add to them: `half a million`,
`three e minus four`, `ninety-nine percent`.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ppoc.draft.text.numbers import Number

LANGUAGES = ("en", "de", "fr", "es")
_CARDINALS = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand million billion and",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze "
    "seize vingt vingts trente quarante cinquante soixante cent cents mille million millions et",
    "es": "cero un dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento "
    "doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos "
    "novecientos mil millón millones y",
}
_GERMAN = re.compile(
    r"(?:null|eins|eine?|zwei|drei|vier|fünf|sechs|sech|sieben|sieb|acht|neun|zehn|elf|zwölf|"
    r"zwanzig|dreißig|zig|und|hundert|tausend|millionen|million)+"
)
_LARGE = {"thousand", "million", "billion", "millions", "mille", "mil", "millón", "millones"} | {
    "tausend", "million", "millionen", "hundred", "hunderttausend", "mio"
}  # fmt: skip
_SCALE_WORDS = {
    "hundred": 1e2, "thousand": 1e3, "tausend": 1e3, "mille": 1e3, "mil": 1e3, "million": 1e6,
    "millions": 1e6, "mio": 1e6, "tsd": 1e3, "millionen": 1e6, "millón": 1e6, "millones": 1e6,
    "billion": 1e9,
}  # fmt: skip
_ARTICLES = {"a", "an", "one", "ein", "eine", "einer", "un", "une", "uno"}
_HALVES = {
    "half": 0.5, "halbe": 0.5, "halben": 0.5, "medio": 0.5, "demi": 0.5, "quarter": 0.25,
    "quarters": 0.25, "third": 1 / 3, "thirds": 1 / 3, "viertel": 0.25, "tenth": 0.1,
    "tenths": 0.1, "hundredth": 0.01, "hundredths": 0.01, "thousandth": 1e-3,
    "thousandths": 1e-3, "millionth": 1e-6, "fifth": 0.2,
}  # fmt: skip
_COUNTS = {"dozen": 12.0, "couple": 2.0, "pair": 2.0, "score": 20.0}
_JOINING = {"a", "an", "of", "and", "point", "e", "minus", "percent", "negative", "to", "the"} | {
    "times", "power", "de", "d'", "komma", "coma", "virgule", "hoch"
}  # fmt: skip
_POINT = {"point", "komma", "coma", "virgule"}


@cache
def vocabulary() -> frozenset[str]:
    """English words that numbers are made of, for the correction of spelling."""
    return frozenset(_CARDINALS["en"].split()) - {"and"} | _HALVES.keys() | {"dozen", "percent"}


def scale_of(word: str) -> float | None:
    """The factor of a word after digits, such as `million`; None for other words."""
    return _SCALE_WORDS.get(word)


def language_of(words: Sequence[str]) -> str:
    """The language that most of the small words of a request belong to; English in doubt."""
    small = {
        "en": {"the", "on", "with", "for", "and", "a", "of", "to", "in", "at", "it", "train"},
        "de": {"auf", "mit", "für", "und", "eine", "der", "die", "das", "ohne", "von", "bitte",
               "trainiere", "schritte", "dem", "den", "ich", "zwei", "umgebungen", "lernrate"},
        "fr": {"sur", "avec", "pour", "et", "un", "une", "de", "pendant", "sans", "du", "le",
               "la", "pas", "des", "je", "d", "environnements", "taux"},
        "es": {"en", "con", "para", "y", "un", "una", "de", "sin", "durante", "pasos", "los",
               "el", "del", "quiero", "entornos", "tasa"},
    }  # fmt: skip
    counts = {name: sum(word in known for word in words) for name, known in small.items()}
    return max(LANGUAGES, key=lambda name: (counts[name], name == "en"))


@dataclass(frozen=True)
class Word:
    """A word of the request, and where it stands."""

    text: str
    start: int
    end: int


def words_at(words: Sequence[Word], language: str) -> tuple[Number, int] | None:
    """The number that the first words spell, and of how many words it is made."""
    run = []
    for word in words[:12]:
        if not (_is_cardinal(word.text, language) or word.text in _JOINING | _HALVES.keys()
                or word.text in _COUNTS):  # fmt: skip
            break
        run.append(word.text)
    for length in range(len(run), 0, -1):
        value = _spelled(run[:length], language)
        if value is not None:
            scaled = bool(_LARGE & set(run[:length])) and value >= 1000
            number = Number(
                float(f"{value:.12g}"), words[0].start, words[length - 1].end, scaled=scaled
            )
            return number, length
    return None


def _is_cardinal(word: str, language: str) -> bool:
    compound = "hundert" in word or "tausend" in word
    if (language == "de" or compound) and _GERMAN.fullmatch(word):
        return True
    pieces = re.split(r"[-‐]", word)
    known = _known(language)
    return all(piece in known for piece in pieces)


@cache
def _known(language: str) -> frozenset[str]:
    return frozenset((_CARDINALS.get(language, "") + " " + _CARDINALS["en"]).split())


def _spelled(words: list[str], language: str) -> float | None:
    """The value of words that are one number, or None."""
    if words[-1] in ("and", "a", "an", "of", "et", "y", "und", "the", "to"):
        return None
    if words[0] in ("minus", "negative") and len(words) > 1:
        rest = _spelled(words[1:], language)
        return -rest if rest is not None else None
    if words[-1] == "percent":
        rest = _spelled(words[:-1], language) if len(words) > 1 else None
        return rest / 100 if rest is not None else None
    if "e" in words[1:-1] or "ten" in words[1:-1] or words[:2] == ["ten", "to"]:
        return _power(words, language)
    for point in _POINT & set(words[:-1]):
        at = words.index(point)
        whole = _cardinal(words[:at], language) if at else 0.0
        digits = [_cardinal([word], language) for word in words[at + 1 :]]
        if whole is None or any(d is None for d in digits):
            return None
        return float(f"{int(whole)}.{''.join(str(int(d)) for d in digits if d is not None)}")
    return _with_fractions(words, language)


def _power(words: list[str], language: str) -> float | None:
    """`three e minus four`, `three times ten to the minus four`, `ten to the six`."""
    text = " ".join(words)
    found = re.fullmatch(r"(?:(.+?) )??(?:e|(?:times )?ten to the(?: power(?: of)?)?) (.+)", text)
    if found is None:
        return None
    mantissa = _spelled(found[1].split(), language) if found[1] else 1.0
    exponent = _spelled(found[2].split(), language)
    if mantissa is None or exponent is None or abs(exponent) > 15:
        return None
    return float(f"{mantissa:.12g}e{int(exponent)}")


def _with_fractions(words: list[str], language: str) -> float | None:
    """`half a million`, `three quarters of a million`, `a dozen`, `two and a half million`."""
    at = next((i for i, word in enumerate(words) if word in _HALVES or word in _COUNTS), None)
    if at is None:
        return _cardinal(words, language)
    before, after = words[:at], [w for w in words[at + 1 :] if w not in ("of", "a", "an", "de")]
    share = _HALVES.get(words[at], _COUNTS.get(words[at], 1.0))
    if "and" in before:  # two and a half
        whole = _cardinal(before[: before.index("and")], language)
        share = share + whole if whole is not None else math.nan
    elif before and before not in (["a"], ["an"], ["one"], ["un"], ["eine"], ["una"]):
        count = _cardinal(before, language)
        share = share * count if count is not None else math.nan
    elif not before and not after and words[at] not in ("half",):
        return None  # `quarter` alone is no number
    if after:
        if not set(after) & _LARGE:
            return None
        scale = _cardinal(after, language)
        share = share * scale if scale is not None else math.nan
    if words == ["half"] or math.isnan(share):
        return None
    return share


def _cardinal(words: list[str], language: str) -> float | None:
    from text_to_num import text2num

    if len(words) > 1 and words[0] in _ARTICLES:
        if words[1] not in _LARGE:
            return None
        words = words[1:]
    elif words and words[0] in _ARTICLES - {"one"}:
        return None
    if not words or set(words) & ({"of", "a", "an", "e", "to", "the", "times"} | _POINT):
        return None
    text = " ".join(words)
    for name in dict.fromkeys((language, "en", "de")):
        try:
            return float(text2num(text, name))
        except ValueError:
            continue
    return None
