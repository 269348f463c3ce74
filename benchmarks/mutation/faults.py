"""Single faults of a text, such as a sign turned round, in Python and in templates of it."""

import ast
import re
from typing import NamedTuple

NAME = r"[\w.]+(?:\[[^\[\]]*\])?(?:\([^()]*\))?"  # x, x.y, x[i], f(x)
TRIPLE = re.compile(r'"""(?:[^"]|"(?!""))*"""')
# In this order: what the templates themselves do, comments, texts.
HIDDEN = re.compile(
    r"\{%.*?%\}|\{#.*?#\}|\{\{.*?\}\}|#[^\n]*|[rf]*\"[^\"\n]*\"|'[^'\n]*'", re.DOTALL
)
# Signatures, imports and annotations compute nothing.
NOT_MUTATED = re.compile(
    r"\s*(?:(?:def|class|import|from|raise|assert|with)\b|\) ->|@(?!torch\.no_grad)"
    r"|(?:\w+: [\w\[\], .|]+?(?: = \w+)?(?:, |,?$))+$|\w+: [A-Z][\w\[\], .|]*(?= =))"
)
UNARY = r"(?<![\w)\]}] )(?<![\w)\]}*])"  # nothing before it that it could be subtracted from

# Operator → what it looks for in a line of code, and what it puts there.
OPERATORS: dict[str, tuple[tuple[str, str], ...]] = {
    "sign": ((r" \+ ", " - "), (r" - ", " + "), (r" \+= ", " -= "), (UNARY + r"-(?=[a-z(])", "")),
    "product": ((r" \* ", " / "), (r" / ", " * "), (r" \*= ", " /= "), (r" // ", " * ")),
    "dropped term": (
        (rf" [+-] {NAME}(?![\w.(\[*])", ""),
        (rf" [*/] {NAME}(?![\w.(\[*])", ""),
    ),
    "bound": ((" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > ")),
    "comparison": (
        *((" < ", " > "), (" <= ", " > "), (" > ", " < "), (" >= ", " < ")),
        *((" == ", " != "), (" != ", " == ")),
    ),
    "logic": (
        *(
            (r" & ", " | "),
            (r" \| (?!None)", " & "),
            (r" \| (?!None)\w+\b(?!\.)", ""),
            (r" & ~?\w+", ""),
            (r" & ~?\([^()]*\)", ""),
        ),
        *((r"~", ""), (r"\band\b", "or"), (r"\bor\b", "and"), (r"\bnot (?!in)", "")),
        *((r"(?<!strict=|.force=)\bTrue\b", "False"), (r"\bFalse\b", "True")),
    ),
    "extremum": (
        (r"\bmin(?=[(=])", "max"),
        (r"\bmax(?=[(=])", "min"),
        (r"\bminimum\(", "maximum("),
        (r"\bmaximum\(", "minimum("),
        (r"\bargmax\(", "argmin("),
        (r"\bargsort\(-", "argsort("),
        (r"\.clamp\([^()]*\)", ""),
    ),
    "reduction": (
        *((r"\.mean\(", ".sum("), (r"\.sum\(", ".mean("), (r"\.std\(", ".var(")),
        *((r"\.var\(", ".std("), (r"correction=0", "correction=1"), (r"\.any\(", ".all(")),
        *((r"\.all\(", ".any("), (r"\bcumsum\b", "cumprod"), (r"\.clip\([^()]*\)", "")),
    ),
    "axis": (
        *((r"(?<=[(,] )-1\)", "0)"), (r"\(-1\)", "(0)"), (r"\(0\)", "(-1)"), (r"\(1\)", "(0)")),
        *((r"axis=-1", "axis=0"), (r"axis=0", "axis=-1"), (r"axis=1", "axis=0")),
    ),
    "index": (
        *((r"\[-1\]", "[0]"), (r"\[0\]", "[-1]"), (r"\[1:\]", "[:-1]"), (r"\[:-1\]", "[1:]")),
        *((r"\[t\]", "[t - 1]"), (r"\[t - 1\]", "[t]"), (r" [+-] 1\b(?!\.)", "")),
        *((r"\.flip\([^()]*\)", ""), (r"reversed\((range\(.*?\))\)", r"\1")),
        (r"(?<=\[)(-?\w+): *\]", r":\1]"),
    ),
    "constant": (
        (r"(?<![\w.])(?!0\.0\b)(\d*\.\d+)(?![\w.])", r"(2 * \1)"),
        (r"(?<![\w.])(\d+\.?\d*e-\d+)(?![\w.])", r"(1e6 * \1)"),
        (r"(?<![\w.\[(-])([2-9]\d*)(?![\w.])", r"(\1 + 1)"),
        (r"(?<=[ (])1(?=[ ,)])", "2"),
    ),
    "function": (
        *((r"\.exp\(\)", ""), (r"\.sqrt\(\)", ""), (r"\.log\(\)", ""), (r"\bsqrt\(", "abs(")),
        *((r"\.sin\(\)", ".cos()"), (r"\.cos\(\)", ".sin()"), (r"\*\*2\b", "**3")),
        *((r"\.square\(\)", ""), (r"\.abs\(\)", ""), (r"\.tanh\(\)", ".sigmoid()")),
        *((r"\.sigmoid\(\)", ".tanh()"), (r"\.rsqrt\(\)", ".sqrt()"), (r"np\.sign", "np.abs")),
    ),
    "end of an episode": (
        (r"\bterminated\b(?!=|[\w, ]* = )", "truncated"),
        (r"\btruncated\b(?!=|[\w, ]* = )", "terminated"),
        (r" \* ~?(?:terminated|ended|mask|whole)\b", ""),
        (r"\bnext_(?=values|observations|features)", ""),
        (r"\[~?(?:mask|ended|active|there)\]", ""),
    ),
    "gradient": ((r"\.detach\(\)", ""), (r"@torch\.no_grad\(\)", "")),
    "dropped statement": (
        (r"(?<=^)(\s*)[\w.]+\([^()=]*\)$", r"\1pass"),
        (r"(?<=^)(\s*)[\w.\[\]]+ [*+-]= .*$", r"\1pass"),
    ),
}


class Fault(NamedTuple):
    """A line of a text, and what it becomes."""

    operator: str
    line: int  # from 1
    before: str
    after: str

    def put_into(self, text: str) -> str:
        """The text with the fault."""
        lines = text.split("\n")
        lines[self.line - 1] = self.after
        return "\n".join(lines)

    @property
    def change(self) -> str:
        """The change, as a table and a list of explanations call it."""
        return f"{self.before.strip()} → {self.after.strip() or 'nothing'}"


def faults(text: str, *, template: bool, writes_source: bool = False) -> list[Fault]:
    """Every fault that the operators make of a text; of equal lines, the first has it.

    Args:
        template: it is a Jinja template; its own statements and expressions are left alone.
        writes_source: its string literals are source text, and are changed like code.
    """
    lines = text.split("\n")
    found: dict[str, Fault] = {}
    for number, code in enumerate(_code(text, template, writes_source).split("\n"), start=1):
        if not code.strip() or NOT_MUTATED.match(code):
            continue
        line = lines[number - 1]
        for operator, rules in OPERATORS.items():
            for pattern, put in rules:
                for match in re.finditer(pattern, code):
                    after = line[: match.start()] + match.expand(put) + line[match.end() :]
                    if _whole(line[match.start() : match.end()], match[0]) and after != line:
                        fault = Fault(operator, number, line, after.rstrip())
                        found.setdefault(fault.change, fault)
    return [x for x in found.values() if template or _compiles_to_another(text, x.put_into(text))]


def _whole(line: str, code: str) -> bool:
    """Whether no part of a match is hidden, unless it is a name by itself."""
    return all(was == is_ or is_ == "ƒ" for was, is_ in zip(line, code, strict=True))


def _code(text: str, template: bool, writes_source: bool) -> str:
    """A text with all but its code hidden, every character in its place."""
    if template:
        text = re.sub(r"\{%.*?%\}|\{#.*?#\}", _blank, text, flags=re.DOTALL)
    text = TRIPLE.sub(_blank, text)

    def hide(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith("{{"):
            return "ƒ" * len(found) if template else found
        if found.startswith("{"):
            return found
        source = writes_source and found.isascii() and re.search(r"[({*]", found)
        if source and not found.startswith("#"):
            return found
        return _blank(match)

    return HIDDEN.sub(hide, text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _compiles_to_another(text: str, changed: str) -> bool:
    """Whether Python takes it, as another program."""
    try:
        compile(changed, "changed", "exec")
        return ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text))
    except SyntaxError:
        return False
