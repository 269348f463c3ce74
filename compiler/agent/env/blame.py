"""Errors of code of others, in a line each, with the place that raised them."""

import sysconfig
import traceback
from pathlib import Path

import pydantic

LONGEST = 300  # characters of what an error says
# Frames of these are of no use to whoever wrote the code that they call.
OURS = tuple(str(Path(file).parent) for file in (__file__, pydantic.__file__))
STANDARD = sysconfig.get_path("stdlib")
PASSED = ("site-packages/gymnasium/", "site-packages/numpy/", "site-packages/torch/")


def told(error: BaseException) -> str:
    """Type and text of an error, and the place in code of others that raised it."""
    where = place(error)
    return f"{said(error)} ({where})" if where else said(error)


def said(error: BaseException) -> str:
    """Type and text of an error, in one line."""
    try:
        text = " ".join(str(error).split()).encode(errors="backslashreplace").decode()
    except Exception:  # code of others, too
        text = ""
    text = f"{text[:LONGEST]}…" if len(text) > LONGEST else text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def place(error: BaseException) -> str:
    """File and line of the innermost frame in code of others; nothing where there is none."""
    frames = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    for file, line in reversed(frames):
        if not _passed_on(file):
            return f"{_short(file)}:{line}"
    return ""


def _passed_on(file: str) -> bool:
    installed = "site-packages" in file
    standard = file.startswith(STANDARD) and not installed
    return file.startswith(("<", *OURS)) or standard or any(part in file for part in PASSED)


def _short(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
