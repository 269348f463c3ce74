"""The experiment that `--seeds` and `--vary` stand for, over an ordinary spec."""

import json
import re
from collections.abc import Sequence

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.merge import override


def spec_text(
    name: str, base: str, changes: Sequence[str], seeds: str | None, vary: Sequence[str]
) -> str:
    """The text of a spec that runs another one with several seeds, or several values.

    Args:
        base: a name of the zoo, or a path.
        changes: `-s` of the other spec, `key.path=value` each.
        seeds: `5`, or `3,5,8`; None: one, the base's number of seeds is not changed by a grid.
        vary: `key.path=value,value` each.

    Raises:
        SpecError: a flag does not read so. What values mean, the spec's own checks tell.
    """
    lines = ["ppoc: 1", "kind: experiment", f"name: {name}", f"base: {json.dumps(base)}"]
    if changes:
        lines += ["set:", *(_entry(flag, "{}") for flag in changes)]
    if vary:
        lines += ["vary:", *(_entry(flag, "[{}]") for flag in vary)]
    lines.append(f"seeds: {seeds_value(seeds or '1')}")
    return "\n".join(lines) + "\n"


def seeds_value(text: str) -> str:
    """A number of seeds, or a list of them, as a spec writes it.

    Raises:
        SpecError: it is neither.
    """
    found = re.fullmatch(r"\s*\d{1,10}\s*(,\s*\d{1,10}\s*)*,?\s*", text, re.ASCII)
    if found is None:
        help = "write a number of seeds, as in `--seeds 5`, or the seeds, as in `--seeds 3,5,8`"
        message = f"not seeds: {text[:80]!r}"
        raise SpecError([Diagnostic("E018", message, None, help=help)])
    numbers = [str(int(part)) for part in text.split(",") if part.strip()]
    return numbers[0] if "," not in text else f"[{', '.join(numbers)}]"


def _entry(flag: str, form: str) -> str:
    """A line of a mapping, of `key.path=value`."""
    override(flag.replace("=", "=[", 1) + "]" if form == "[{}]" else flag)  # raises what it is not
    key, _, value = flag.partition("=")
    return f"  {key.strip()}: {form.format(value.strip())}"
