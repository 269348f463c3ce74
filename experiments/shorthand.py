"""The experiment that `--seeds` and `--vary` stand for, over an ordinary spec."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.merge import current, extended, mapping, override
from ppoc.compiler.front.source import parse, read


def spec_text(
    name: str,
    base: str | Mapping[str, Any],
    changes: Sequence[str],
    seeds: str | None,
    vary: Sequence[str],
) -> str:
    """The text of a spec that runs another one with several seeds, or several values.

    Args:
        base: a name of the zoo, or the other spec itself.
        changes: `-s` of the other spec, `key.path=value` each.
        seeds: `5`, or `3,5,8`; None: one.
        vary: `key.path=value,value` each.

    Raises:
        SpecError: a flag does not read so. What values mean, the spec's own checks tell.
    """
    lines = ["ppoc: 1", "kind: experiment", f"name: {name}", f"base: {_base(base)}"]
    if changes:
        lines += ["set:", *(_entry(flag, "{}") for flag in changes)]
    if vary:
        lines += ["vary:", *(_entry(flag, "[{}]") for flag in vary)]
    lines.append(f"seeds: {seeds_value(seeds or '1')}")
    return "\n".join(lines) + "\n"


def document(path: Path) -> Mapping[str, Any]:
    """A spec as it is written, over what it extends; raises SpecError where it cannot be read."""
    own = current(mapping(parse(read(path), str(path))))
    found: dict[str, Any] = extended(own, path, [path.resolve()], []).plain()
    return found


def _base(base: str | Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    if isinstance(base, str):
        return json.dumps(base)
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
    stream = io.StringIO()
    yaml.dump(base, stream)
    return f"\n{indent(stream.getvalue().rstrip(), '  ')}"


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
