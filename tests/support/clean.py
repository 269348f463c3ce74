"""Ruff's judgement of written modules."""

import subprocess
import sys
from pathlib import Path

from zoo import ROOT

# The title of a module may take two lines.
CHECK = ["check", "--no-cache", "--quiet", "--extend-ignore=D205"]


def complaints(*paths: Path) -> str:
    """The complaints about some modules, under the rules of this repository."""
    said = ""
    for command in (["format", "--diff", "--quiet"], CHECK):
        whole = [sys.executable, "-m", "ruff", *command, f"--config={ROOT / 'pyproject.toml'}"]
        done = subprocess.run([*whole, *paths], capture_output=True, text=True)
        said += "" if done.returncode == 0 else done.stdout[:3000] + done.stderr
    return said
