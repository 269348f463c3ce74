"""The C++ compiler that torch calls: whether this machine has one, and how to get one."""

import os
import shutil
import sys

INSTALL = (
    "install one (`apt install g++`, `dnf install gcc-c++`, `conda install gxx` or "
    "`xcode-select --install`), or name it in CXX"
)


def wanted() -> str:
    """The program that CXX names, or the usual one of the platform, as torch has it."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    return os.environ.get("CXX") or usual


def has_compiler() -> bool:
    """Whether there is such a program."""
    return shutil.which(wanted()) is not None
