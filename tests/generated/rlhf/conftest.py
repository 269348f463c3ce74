"""Modules of the toy spec, compiled and imported."""

import functools
from pathlib import Path

import pytest

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.run.launch import load_module
from rlhf_toy import VARIANTS, write_toy


@pytest.fixture(scope="session")
def toy_module(tmp_path_factory):
    """From overrides to the module of the toy spec with them."""
    folder = tmp_path_factory.mktemp("toys")
    spec = write_toy(folder)

    @functools.cache
    def module(*overrides):
        overrides = VARIANTS.get(overrides[0], overrides) if overrides else ()
        target = Path(folder) / f"compiled-{abs(hash(overrides)):x}"
        compile_spec(resolve(spec, overrides)).write(target)
        return load_module(target / "module.py")

    return module
