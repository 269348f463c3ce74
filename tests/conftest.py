"""Fixtures of all tests: modules and programs of the zoo, a cache of their own, one thread."""

import os
import signal
from collections.abc import Callable
from types import ModuleType

if "PYTEST_XDIST_WORKER" in os.environ:  # several side by side: a thread for each, and its runs
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import HealthCheck, settings

from ppoc.compiler.output.build import Compiled
from zoo import VARIANTS, compile_zoo, zoo_module

# A shell ignores them in what it runs in the background, and so would the runs that tests stop.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)

# Hypothesis reads the sources of all imported modules at its first draw, which takes a second.
settings.register_profile("ppoc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ppoc")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `variant` over the zoo and every branch of the templates."""
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())


@pytest.fixture
def module_of() -> Callable[..., ModuleType]:
    return zoo_module


@pytest.fixture(scope="session")
def compiled_of() -> Callable[..., Compiled]:
    return compile_zoo


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["PPOC_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    # Torch's headers, which take 10 seconds to compile, are compiled once for all tests.
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(shared / "inductor")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/")
