"""What kind of file it is: by its first bytes where they are a signature, else by its suffix."""

from __future__ import annotations

import re
import zipfile
from typing import BinaryIO

from .package import Package
from .pages import Refused

TEXT = frozenset(
    """
.txt .text .md .markdown .mdx .rst .adoc .asciidoc .org .tex .bib .log .srt .vtt .po .csv .tsv .json
.jsonl .ndjson .yaml .yml .toml .ini .cfg .conf .xml .py .pyi .js .mjs .cjs .jsx .ts .tsx .vue .svelte .css
.scss .less .java .kt .kts .scala .groovy .gradle .c .h .cc .cpp .cxx .hh .hpp .cs .fs .go .rs .rb .php .pl
.pm .lua .r .jl .swift .m .mm .d .zig .nim .sh .bash .zsh .fish .ps1 .bat .sql .hs .ml .mli .ex .exs .erl
.clj .cljs .lisp .scm .el .vim .dart .f90 .f .pas .adb .v .sv .vhd .asm .s .tcl .awk .sed .cmake .mk .proto
.graphql .tf .nix .diff .patch .dot .pot
""".split()
)

# The kinds that have a reader (netsuke.curate.worker), by suffix.
PARSED = {
    suffix: kind
    for kind, suffixes in {
        ".html": ".html .htm .xhtml",
        ".pdf": ".pdf",
        ".docx": ".docx .docm .dotx",
        ".pptx": ".pptx .pptm .ppsx .potx",
        ".xlsx": ".xlsx .xlsm .xltx",
        ".odt": ".odt .ott",
        ".ods": ".ods .ots",
        ".odp": ".odp .otp",
        ".epub": ".epub",
        ".fb2": ".fb2",
        ".eml": ".eml",
        ".mbox": ".mbox",
        ".ipynb": ".ipynb",
        ".rtf": ".rtf",
        ".doc": ".doc",
        ".xls": ".xls .xlt",
        ".ppt": ".ppt .pps",
        ".msg": ".msg",
    }.items()
    for suffix in suffixes.split()
}

ARCHIVES = frozenset(
    """
.zip .tar .gz .tgz .bz2 .tbz .xz .txz .zst .7z .rar .jar .whl .deb .rpm .iso .dmg .cab
""".split()
)

# Apple's, a ZIP file of a kind that is not told to others: what each can be exported as.
_APPLE = {".pages": "DOCX or PDF", ".numbers": "XLSX or PDF", ".key": "PPTX or PDF"}

# Text on the outside, but not a person's text: drawings, page descriptions, keys.
NOT_TEXT = frozenset(".svg .ps .eps .pem .key".split())

_ARCHIVE = re.compile(
    rb"PK\x03\x04|PK\x05\x06|\x1f\x8b\x08|BZh[1-9](1AY&SY|\x17rE8P)|\xfd7zXZ\0|7z\xbc\xaf\x27\x1c"
    rb"|Rar!\x1a\x07|\x28\xb5\x2f\xfd|!<arch>\ndebian|.{257}ustar",
    re.DOTALL,
)
_HTML = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.{,500}?-->\s*)?(<!doctype html|<html)",
    re.DOTALL | re.IGNORECASE,
)
_HEADER = re.compile(rb"[ \t]|[!-9;-~]+:")
_MAIL_HEADERS = (rb"(?im)^from:", rb"(?im)^(date|message-id|received|to|subject):")
_MBOX = re.compile(rb"From .*\d\d:\d\d.*\r?\n[!-9;-~]+:")

_MARKUP = (".html", ".fb2", ".ipynb")  # told by their names alone
_MAILS = (".eml", ".mbox")

_MEMBERS = {
    "word/document": ".docx",
    "ppt/presentation": ".pptx",
    "xl/workbook": ".xlsx",
    "META-INF/container.xml": ".epub",
}
_MIMETYPES = {
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = {
    ".doc": "WordDocument",
    ".ppt": "PowerPoint Document",
    ".xls": "Workbook",
    ".msg": "__properties_version1.0",
}


def kind_of(file: BinaryIO, suffix: str) -> str | None:
    """The parsed kind of a file, e.g. ".docx"; None for what may be plain text.

    A PDF, RTF, Office file, e-book or archive is told by its bytes, whatever its name; HTML and mail where the
    name says nothing, or what the file is not. Raises Refused for an archive and for types without text.
    """
    head = file.read(1 << 14)
    if suffix in ARCHIVES:
        raise Refused("archive", f"{suffix}: unpack it first")
    if found := _signed(file, head, suffix):
        return found
    if suffix in _APPLE and head.startswith(b"PK"):
        raise Refused("unsupported type", f"{suffix}: export it as {_APPLE[suffix]}")
    if _ARCHIVE.match(head):
        raise Refused("archive", "unpack it first")
    if suffix in NOT_TEXT:
        raise Refused("unsupported type", suffix)
    if suffix in TEXT:
        return None
    kind = PARSED.get(suffix)
    if kind in _MARKUP:
        return kind
    return _looks_like(head) or (kind if kind in _MAILS else None)


def _signed(file: BinaryIO, head: bytes, suffix: str) -> str | None:
    """The kind that the signature at the start of a file says."""
    start = head[:1024].lstrip()
    if start.startswith(b"%PDF-"):
        return ".pdf"
    if start.startswith(b"{\\rtf"):
        return ".rtf"
    if head.startswith(_OLE):
        return _ole_kind(head + file.read(), PARSED.get(suffix))
    if head.startswith(b"PK"):
        return _zip_kind(file, suffix)
    return None


def _ole_kind(data: bytes, kind: str | None) -> str:
    """Which of Office's old formats a compound file is; the suffix's, if it has that one's stream."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise Refused("unreadable", "it needs a password")
    found = [kind for kind, stream in _OLE_STREAMS.items() if stream.encode("utf-16-le") in data]
    if not found:
        raise Refused(
            "unsupported type", "a compound file that is no Word, Excel, PowerPoint or Outlook file"
        )
    return kind if kind in found else found[0]


def _zip_kind(file: BinaryIO, suffix: str) -> str | None:
    try:
        package = Package(file)
    except (ValueError, NotImplementedError, zipfile.BadZipFile):
        if suffix in PARSED:
            raise Refused("unreadable", "it is damaged, or cut off") from None
        return None
    if "mimetype" in package:
        mimetype = package.read("mimetype").strip().removesuffix(b"-template")
        if kind := _MIMETYPES.get(mimetype):
            return kind
    for name in package:
        for start, kind in _MEMBERS.items():
            if name.startswith(start):
                return kind
    return None


def _looks_like(head: bytes) -> str | None:
    """HTML, a mailbox or a mail, by how it begins."""
    if _HTML.match(head):
        return ".html"
    if _MBOX.match(head):
        return ".mbox"
    headers = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    if all(map(_HEADER.match, headers.splitlines())) and all(re.search(p, headers) for p in _MAIL_HEADERS):
        return ".eml"
    return None
