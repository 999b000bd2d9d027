"""A ZIP file that holds a document (DOCX, EPUB, …): its members, none of them a bomb."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from typing import IO, BinaryIO
from urllib.parse import unquote
from xml.etree import ElementTree

from .pages import Refused

MEMBER_BYTES = 1 << 30  # unpacked; a sheet of a million rows has about 100 MB
WHOLE_BYTES = 64 << 20  # of a member that is read at once
# Sheets, the most regular XML, shrink 10 to 30 times; a bomb 1,000 times (deflate's most is 1,032).
BOMB_BYTES, BOMB_RATIO = 32 << 20, 150


class Package:
    """The members of a ZIP file. Raises zipfile.BadZipFile, or Refused for a bomb or a password."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file)
        self._infos = {info.filename: info for info in self._zip.infolist()}
        size = file.seek(0, 2)
        # Python 3.11.7 does not yet look for members that share their bytes, as those of 42.zip's heirs do.
        if sum(info.compress_size for info in self._infos.values()) > size:
            raise Refused("zip bomb", "its members overlap")

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def open(self, name: str) -> IO[bytes]:
        """A member as a stream. Raises KeyError if it is not there."""
        info = self._infos[name]
        if info.file_size > BOMB_BYTES and info.file_size > BOMB_RATIO * info.compress_size:
            raise Refused("zip bomb", f"{name[:99]}: {info.file_size / 1e6:,.0f} MB unpacked")
        if info.file_size > MEMBER_BYTES:
            raise Refused("too large", f"{name[:99]}: {info.file_size / 1e6:,.0f} MB unpacked")
        if info.flag_bits & 1:
            raise Refused("unreadable", "it needs a password")
        return self._zip.open(info)

    def read(self, name: str) -> bytes:
        """A member's bytes."""
        with self.open(name) as stream:
            if self._infos[name].file_size > WHOLE_BYTES:
                raise Refused("too large", f"{name[:99]}: more than {WHOLE_BYTES / 1e6:.0f} MB unpacked")
            return stream.read()

    def xml(self, name: str) -> ElementTree.Element:
        """A member as an XML tree."""
        return ElementTree.fromstring(self.read(name))


def local(node: ElementTree.Element) -> str:
    """An element's name without its namespace: the two editions of Office's format differ in that alone."""
    return node.tag.rpartition("}")[2]


def attribute(node: ElementTree.Element, name: str, default: str = "") -> str:
    """An attribute by its name without a namespace."""
    for key, value in node.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return default


def named(node: ElementTree.Element, *names: str) -> Iterator[ElementTree.Element]:
    """The elements of these names in a tree, itself included, in document order."""
    return (inner for inner in node.iter() if local(inner) in names)


def beside(part: str, target: str) -> str:
    """The member that a reference in `part` means."""
    if target.startswith("/"):
        return target.lstrip("/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), unquote(target)))


def relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """{id: (the last word of its type, member)} of a part's relations; those to the outside left out."""
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    if path not in package:
        return {}
    return {
        node.get("Id", ""): (node.get("Type", "").rpartition("/")[2], beside(part, node.get("Target", "")))
        for node in package.xml(path)
        if node.get("TargetMode") != "External"
    }


def main_part(package: Package, usual: str) -> str:
    """The member that an Office file begins with."""
    targets = (member for kind, member in relations(package, "").values() if kind == "officeDocument")
    return next((member for member in targets if member in package), usual)


def related(package: Package, part: str, kind: str) -> str | None:
    """The first member of this type that a part refers to."""
    members = (member for found, member in relations(package, part).values() if found == kind)
    return next((member for member in members if member in package), None)


def office_title(package: Package) -> str:
    """The title among an Office file's properties."""
    if "docProps/core.xml" not in package:
        return ""
    return next((node.text or "" for node in named(package.xml("docProps/core.xml"), "title")), "").strip()
