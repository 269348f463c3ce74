"""Versions of what the compiler reads: specs, locks and manifests.

What is written says the version of its form. A newer version is refused, since reading it as this
one might mean something else; an older one goes through its migrations, one version at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ppoc.formats.text import printable

UPDATE = "update ppoc: `pip install --upgrade ppoc`"

Document = TypeVar("Document")


class VersionError(Exception):
    """A document of a version that is not read; the text says which are."""


@dataclass(frozen=True)
class Format(Generic[Document]):
    """A kind of document.

    Attributes:
        version: what is written, and read as it is.
        migrations: version → what makes of its documents those of the next.
    """

    name: str
    version: int
    migrations: Mapping[int, Callable[[Document], Document]] = field(default_factory=dict)

    def current(self, document: Document, found: object) -> Document:
        """A document of version `found` as this version of ppoc would write it.

        Raises:
            VersionError: it is newer, too old, or no version.
        """
        reads = f"this ppoc reads {self.name} {self.version}"
        if type(found) is not int:
            raise VersionError(
                f"{printable(str(found), 40)} is no version of a {self.name}; {reads}"
            )
        if found > self.version:
            raise VersionError(f"{self.name} {found} is of a newer ppoc; {reads}")
        for version in range(found, self.version):
            if version not in self.migrations:
                raise VersionError(f"{self.name} {found} is not read any more; {reads}")
            document = self.migrations[version](document)
        return document
