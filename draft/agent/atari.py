"""Atari games, which a package of their own registers."""

import importlib
import importlib.util

from ppoc.compiler.agent.env.probe import package_of

INSTALL = "an Atari game, which needs `pip install 'ppoc[atari]'`"


def is_atari(env_id: str) -> bool:
    """Whether an id is that of an Atari game."""
    return package_of(env_id) == "ale_py"


def has_ale() -> bool:
    """Whether the games are installed; finding out imports nothing."""
    return importlib.util.find_spec("ale_py") is not None


def register() -> None:
    """Put the games into gymnasium's registry, where they are installed."""
    if has_ale():
        importlib.import_module("ale_py")
