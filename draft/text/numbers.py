"""Numbers in digits as requests write them: `2x256`, decimal commas, powers of ten, 一百万."""

import re
from dataclasses import dataclass
from decimal import Decimal

LARGEST = 1e15  # nothing in the language is larger


@dataclass(frozen=True)
class Number:
    """A number, or several that belong together, and where it stands in the request."""

    value: float
    start: int
    end: int
    many: tuple[float, ...] = ()  # of a list such as [64, 64] or 64-64
    repeated: bool = False  # 2x256: `many` is count and width
    scaled: bool = False  # written as 500k, 2e6 or `half a million`
    factor: bool = False  # 3x, three times


SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_PLAIN = (
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}(?!\d)"
    r"|\d[\d_]*(?:[.,]\d+)?|\.\d+"
)
_SCALES = {"k": 1e3, "m": 1e6, "mio": 1e6, "mn": 1e6, "b": 1e9, "bn": 1e9}
_CHINESE_SCALES = {"百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "亿": 1e8}
_DIGITS = re.compile(
    r"(?P<power>(?:(?P<mantissa>\d+(?:[.,]\d+)?)\s*[x×*·]\s*)?10\s*(?:\^|\*\*)\s*[({]?"
    r"(?P<exponent>[-+]?\d{1,3})[)}]?|(?:(?P<mantissa2>\d+(?:[.,]\d+)?)\s*[x×*·]\s*)?"
    r"10(?P<exponent2>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))"
    r"|(?P<two>2\s*(?:\^|\*\*)\s*(?P<bits>\d{1,2}))(?![\d.])"
    r"|(?P<repeat>(?P<count>\d{1,4})\s*[x×*]\s*(?P<width>\d{1,4}))(?![\d.,]*\d|\s*[-+*x^])"
    r"|(?P<dashes>\d{1,4}(?:[-/–x×]\d{1,4})+)(?![\d.]|[^\W\d_])"
    r"|(?P<spaced>\d{1,3}(?:[ \u00a0\u202f]\d{3})*[ \u00a0\u202f]000)(?!\d)"
    rf"|(?P<plain>{_PLAIN})(?:[eE](?P<e>[-+−]?\d{{1,3}}))?"
    r"(?:\s*(?P<chinese>[百千万萬亿])|(?P<scale>k|m|mio|mn|bn|b)(?![^\W\d_]))?"
)
_CHINESE = re.compile(r"(?:零|〇)点[〇零一二三四五六七八九]+|[一二两三四五六七八九十百千万亿半]+")


def digits_at(text: str, at: int) -> Number | None:
    """The number in digits that starts at a place of a text in small letters."""
    sign = -1.0 if text[at] in "-−" and _starts_a_sign(text, at) else 1.0
    start = at + (sign < 0)
    found = _DIGITS.match(text, start)
    if found is None:
        return None
    part = found.groupdict()
    end = found.end()
    if part["power"] is not None:
        mantissa = _decimal(part["mantissa"] or part["mantissa2"] or "1")
        exponent = part["exponent"] or part["exponent2"].translate(SUPERSCRIPTS)
        return _checked(sign * mantissa, int(exponent), at, end, scaled=int(exponent) > 0)
    if part["two"] is not None:
        return Number(2.0 ** int(part["bits"]), at, end)
    if part["repeat"] is not None:
        count, width = float(part["count"]), float(part["width"])
        return Number(width, at, end, (count, width), repeated=True)
    fraction = re.fullmatch(r"([1-3])/([2-9]|10)", part["dashes"] or "")
    if fraction and int(fraction[1]) < int(fraction[2]):
        return Number(int(fraction[1]) / int(fraction[2]), at, end)
    if part["dashes"] is not None:
        many = tuple(float(piece) for piece in re.split(r"[-/–x×]", part["dashes"]))
        return Number(many[0], at, end, many)
    if part["spaced"] is not None:
        return Number(float(re.sub(r"\D", "", part["spaced"])), at, end, scaled=True)
    value = _decimal(part["plain"])
    scale = _CHINESE_SCALES.get(part["chinese"] or "", _SCALES.get(part["scale"] or "", 1.0))
    exponent = int((part["e"] or "0").replace("−", "-"))
    return _checked(sign * value * scale, exponent, at, end, scaled=scale > 1 or exponent > 3)


def _starts_a_sign(text: str, at: int) -> bool:
    """Whether a dash is a minus: nothing that it could join stands before it."""
    before = text[at - 1] if at else " "
    return before in " =:([{,;\n\t~≈" and at + 1 < len(text) and text[at + 1] in "0123456789."


def _checked(mantissa: float, exponent: int, start: int, end: int, scaled: bool) -> Number | None:
    # In decimals, so that 3e-4 is the float a reader of YAML would get.
    value = float(Decimal(f"{mantissa:.15g}").scaleb(exponent))
    return Number(value, start, end, scaled=scaled) if abs(value) <= LARGEST else None


def _decimal(text: str) -> float:
    """A number whose separators may be of any country: 10,000 and 500.000 and 0,0003."""
    text = text.replace("_", "")
    dots, commas = text.count("."), text.count(",")
    if dots and commas:
        last = max(text.rfind("."), text.rfind(","))
        return float(re.sub(r"[.,]", "", text[:last]) + "." + text[last + 1 :])
    separator = "," if commas else "."
    groups = text.split(separator)
    threes = all(len(group) == 3 for group in groups[1:]) and 0 < len(groups[0]) <= 3
    if commas and threes and groups[0] != "0":
        return float("".join(groups))
    if dots and threes and groups[0] != "0" and (dots > 1 or groups[-1] == "000"):
        return float("".join(groups))
    return float(groups[0] + "." + "".join(groups[1:])) if len(groups) > 1 else float(text)


def chinese_at(text: str, at: int) -> Number | None:
    """The number in Chinese characters that starts at a place, 0 to 10¹²."""
    found = _CHINESE.match(text, at)
    if found is None or found[0] == "半":
        return None
    digits = "零一二三四五六七八九"
    word = found[0].replace("两", "二").replace("〇", "零")
    if "点" in word:
        whole, _, rest = word.partition("点")
        value = float("".join(str(digits.index(c)) for c in whole + rest)) / 10 ** len(rest)
        return Number(value, at, found.end())
    total = section = digit = 0.0
    for character in word:
        if character in digits:
            digit = float(digits.index(character))
        elif character == "半":
            digit = 0.5
        elif character in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
        else:
            total += (section + digit or 1) * _CHINESE_SCALES[character]
            section = digit = 0
    return Number(total + section + digit, at, found.end(), scaled=total > 0)
