"""Files of RL Zoo, imported."""

import pytest

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.importing.rl_zoo import convert


@pytest.fixture
def imported(tmp_path):
    """The text of the one spec that a file gives, and the spec; raises what is wrong with it."""

    def run(text, name="ppo.yml", **choice):
        path = tmp_path / name
        path.write_text(text)
        (found,) = convert(path, **choice)
        if found.problems:
            raise SpecError(found.problems)
        return found.text, resolve_text(found.text, "x.yaml").spec

    return run
