"""The manifest of a compiled folder: checksums, what the planner decided, and the versions used."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import from_json

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.program import Program
from ppoc.compiler.front.source import read
from ppoc.compiler.front.versions import UPDATE, Format, VersionError

MODULE, LOCK, MANIFEST = "module.py", "spec.lock.yaml", "manifest.json"
# Modules of folders with an earlier format call a runtime that is not there any more.
FORMAT: Format[Any] = Format("manifest format", 2, {1: lambda document: document})
DataFile = Annotated[str, StringConstraints(pattern=r"^data/[a-z]{1,32}\.jsonl$")]


class FolderError(Exception):
    """A folder that is not what a compiler wrote; the text says what to do."""


class Manifest(BaseModel):
    """A manifest, as far as others rely on it.

    Attributes:
        earlier: whether an earlier version wrote it, with another interface of modules.
    """

    model_config = ConfigDict(strict=True, frozen=True)
    name: str
    earlier: bool = False
    sha256: dict[str, str]
    versions: dict[str, str]
    data: dict[DataFile, str] = Field(default_factory=dict)  # copied beside the module


def sha256(text: str) -> str:
    """The checksum of a text, in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_text(kind: str, name: str, texts: Mapping[str, str], program: Program) -> str:
    """The text of manifest.json; `texts` are those of the files beside it."""
    manifest: dict[str, Any] = {
        "format": FORMAT.version,
        "kind": kind,
        "name": name,
        "features": list(program.features),
        "sha256": {file: sha256(text) for file, text in texts.items()},
        "plan": [
            {"pass": d.name, "choice": d.choice, "reason": d.reason} for d in program.decisions
        ],
        "settings": dict(program.settings),
        **program.facts,
        "versions": dict(sorted(program.versions.items())),
    }
    if program.data:
        manifest["data"] = {path: found for path, (_, found) in sorted(program.data.items())}
    return json.dumps(manifest, indent=2) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        FolderError: it is missing, no manifest, or of a newer version.
    """
    path = folder / MANIFEST
    text = read_file(path)
    try:
        document = from_json(text)
        found = document["format"] if isinstance(document, dict) and "format" in document else None
        current = FORMAT.current(document, found)
        return Manifest.model_validate({**current, "earlier": found != FORMAT.version})
    except VersionError as error:
        raise FolderError(f"{path}: {error}; if a newer one wrote it, {UPDATE}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FolderError(f"{path} is no manifest: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise FolderError(f"{path} is not JSON: {str(error)[:200]}") from error


def read_file(path: Path) -> str:
    """The text of a file of a folder.

    Raises:
        FolderError: it is missing, a link, no regular file, too large, or not UTF-8.
    """
    if path.is_symlink():
        raise FolderError(f"{path} is a symbolic link: put the file itself there")
    try:
        return read(path)
    except SpecError as error:
        raise FolderError(error.diagnostics[0].message) from error
