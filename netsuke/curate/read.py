"""Find files and read each to text, or to the reason why not; a bad file never raises.

Plain text is decoded here. What needs a parser is read in a child process (netsuke.curate.worker), so that a
crash, a loop or a memory bomb in a parser costs one file and not the run.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import selectors
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from ..errors import RecipeError

TEXT = frozenset(
    """
.txt .text .md .markdown .mdx .rst .adoc .asciidoc .org .tex .bib .log .srt .vtt .po .csv .tsv .json
.jsonl .yaml .yml .toml .ini .cfg .conf .xml .py .pyi .js .mjs .cjs .jsx .ts .tsx .vue .css .scss .less
.java .kt .kts .scala .groovy .gradle .c .h .cc .cpp .cxx .hh .hpp .cs .fs .go .rs .rb .php .pl .pm .lua
.r .jl .swift .m .mm .d .zig .nim .sh .bash .zsh .fish .ps1 .bat .sql .hs .ml .mli .ex .exs .erl .clj
.cljs .lisp .scm .el .vim .dart .f90 .f .pas .adb .v .sv .vhd .asm .s .tcl .awk .sed .cmake .mk .proto
.graphql .tf .nix .diff .patch
""".split()
)

PARSED = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".epub": "application/epub+zip",
    ".rtf": "application/rtf",
    ".eml": "message/rfc822",
    ".msg": "application/vnd.ms-outlook",
    ".ipynb": "application/x-ipynb+json",
    ".fb2": "application/x-fictionbook+xml",
    ".doc": "application/msword",
    ".xls": "application/vnd.ms-excel",
    ".ppt": "application/vnd.ms-powerpoint",
}

ARCHIVES = frozenset(
    """
.zip .tar .gz .tgz .bz2 .tbz .xz .txz .zst .7z .rar .jar .whl .deb .rpm .iso .dmg .cab
""".split()
)

# Text on the outside, but not a person's text: drawings, page descriptions, keys, mail folders.
NOT_TEXT = frozenset(".svg .ps .eps .pem .key .mbox".split())

_ARCHIVE_MAGIC = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"Rar!",
    b"\x28\xb5\x2f\xfd",
)
_ZIP_MEMBERS = {
    "word/document.xml": ".docx",
    "ppt/presentation.xml": ".pptx",
    "xl/workbook.xml": ".xlsx",
    "META-INF/container.xml": ".epub",
}
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_CODING = re.compile(rb"coding[:=][ \t]*([-\w.]+)")
_ENCODINGS = re.compile(
    r"us-ascii|utf-?8|(iso-?)?8859-\d+|latin-?\d|cp\d+|windows-\d+|koi8-[rut]"
    r"|gb2312|gbk|gb18030|big5|shift[_-]?jis|euc[-_](jp|kr)|mac[-_]?roman",
    re.IGNORECASE,
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_SKIPPED = frozenset(("__pycache__", "node_modules", "netsuke.toml", "netsuke.lock"))


class Refused(Exception):
    """A file that is not read, by which rule and why."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule, self.detail = rule, detail


# -- finding ---------------------------------------------------------------------------------------------
def find_files(
    folder: Path, skip: Collection[str] = (), on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[str, Path]]:
    """Yields (path relative to `folder`, path) of the files below it, sorted; `folder` may be one file.

    Left out: hidden files and folders, caches, netsuke's own files, what `skip` names (a relative path or a
    bare name), links to folders, and links to files outside. `on_error` hears of folders not to be listed.
    Raises RecipeError if there is no such file or folder.
    """
    root = folder.resolve()
    if root.is_file():
        yield folder.name, folder
        return
    if not root.is_dir():
        raise RecipeError(
            "no such file or folder", where=str(folder), hint="check `path` in the recipe's sources"
        )
    found: list[tuple[str, Path]] = []
    todo = [(root, "")]
    while todo:
        current, prefix = todo.pop()
        for entry in _listed(current, on_error):
            relative = prefix + entry.name
            if _left_out(entry.name) or entry.name in skip or relative in skip:
                continue
            if entry.is_dir(follow_symlinks=False):
                todo.append((Path(entry.path), relative + "/"))
            elif _is_wanted(entry, root):
                found.append((relative, Path(entry.path)))
    yield from sorted(found)


def _listed(folder: Path, on_error: Callable[[OSError], None] | None) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        if on_error:
            on_error(error)
        return []


def _left_out(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED or name.endswith((".netsuke.toml", ".netsuke.lock"))


def _is_wanted(entry: os.DirEntry[str], root: Path) -> bool:
    """Whether it is a regular file, or a link to one that would have been found under `root` itself."""
    if not entry.is_symlink():
        return entry.is_file(follow_symlinks=False)
    try:
        target = Path(entry.path).resolve(strict=True)
        inside = target.relative_to(root)
    except (OSError, ValueError, RuntimeError):  # broken, outside, a loop
        return False
    return stat.S_ISREG(target.stat().st_mode) and not any(_left_out(part) for part in inside.parts)


# -- reading one file ------------------------------------------------------------------------------------
def read_file(path: Path, suffix: str, max_mb: float) -> dict[str, Any]:
    """{"text", "reader", "title"} of a file, or {"drop": {"rule", "detail", "bytes"}}; never raises."""
    size = 0
    try:
        size = path.stat().st_size
        if size > max_mb * 1e6:
            raise Refused("too large", f"{size / 1e6:.1f} MB, the limit is {max_mb:g} MB")
        result = _read(path, suffix, size)
    except Refused as refused:
        return {"drop": {"rule": refused.rule, "detail": refused.detail, "bytes": size}}
    except OSError as error:
        detail = error.strerror or type(error).__name__
        return {"drop": {"rule": "unreadable", "detail": detail, "bytes": size}}
    return {key: _SURROGATES.sub("\ufffd", value) for key, value in result.items()}


def _read(path: Path, suffix: str, size: int) -> dict[str, str]:
    if suffix in ARCHIVES:
        raise Refused("archive", f"{suffix}: unpack it first")
    if suffix in PARSED:
        return _parse(path, suffix, size)
    if suffix in NOT_TEXT:
        raise Refused("unsupported type", suffix)
    data = path.read_bytes()
    if suffix not in TEXT:
        if found := sniff(path, data):
            return _parse(path, found, size)
        with contextlib.suppress(Refused):
            text, encoding = decode(data)
            return {"text": text, "reader": f"text ({encoding})", "title": ""}
        raise Refused("unsupported type", suffix or "no suffix, and not text")
    text, encoding = decode(data)
    return {"text": text, "reader": f"text ({encoding})", "title": ""}


def sniff(path: Path, data: bytes) -> str | None:
    """The suffix of the parsed type that these bytes are, or None. Raises Refused for an archive."""
    head = data[:1024].lstrip()
    if head.startswith(b"%PDF-"):
        return ".pdf"
    if head.startswith(b"{\\rtf"):
        return ".rtf"
    if re.match(rb"(<\?xml[^>]*>\s*)?(<!doctype html|<html)", head, re.IGNORECASE):
        return ".html"
    if data.startswith(b"PK"):
        with (
            contextlib.suppress(OSError, ValueError, NotImplementedError, zipfile.BadZipFile),
            zipfile.ZipFile(path) as archive,
        ):
            names = set(archive.namelist())
            if found := next((suffix for name, suffix in _ZIP_MEMBERS.items() if name in names), None):
                return found
    if data.startswith(_ARCHIVE_MAGIC) or data[257:262] == b"ustar":
        raise Refused("archive", "unpack it first")
    return None


def decode(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """(text, encoding): by byte-order mark, as UTF-8, as declared, else as Western European.

    Raises Refused for binary data, and for an encoding that cannot be told.
    """
    if mark := next((encoding for bom, encoding in _BOMS if data.startswith(bom)), None):
        return _marked(data, mark)
    if b"\0" in data[: 1 << 20] or b"\0" in data:
        raise Refused("binary", "it has NUL bytes")
    if len(data) - len(data.translate(None, _CONTROLS)) > 0.005 * len(data):
        raise Refused("binary", "it has control characters all over")
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    if declared is None and (match := _CODING.search(data[:200])):
        declared = match[1].decode()
    if declared and _ENCODINGS.fullmatch(declared):
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            return data.decode(declared), declared.lower()
    return _guessed(data)


def _marked(data: bytes, encoding: str) -> tuple[str, str]:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        detail = f"marked as {encoding}, but {error.reason} at byte {error.start}"
        raise Refused("unreadable", detail) from None
    if "\0" in text:
        raise Refused("binary", "it has NUL characters")
    return text, encoding.removesuffix("-sig")


def _guessed(data: bytes) -> tuple[str, str]:
    """Damaged UTF-8 if most of it is whole, else Windows-1252 or Latin-1 if it reads like a language."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if bad * 10 <= sum(not c.isascii() for c in text) - bad:
        return text, "utf-8, damaged"
    try:
        text, encoding = data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        text, encoding = data.decode("latin-1"), "latin-1"
    foreign = sum(not c.isascii() for c in text if not c.isspace())
    if foreign > 0.3 * sum(not c.isspace() for c in text):
        raise Refused("unreadable", "neither UTF-8 nor a Western European encoding: save it as UTF-8")
    printable = sum(c.isprintable() or c.isspace() for c in text)
    if printable < 0.995 * len(text):
        raise Refused("binary", "it has bytes that are no characters")
    return text, encoding


# -- the child that parses -------------------------------------------------------------------------------
class ParserDied(Exception):
    """The child ended, or was ended, before it answered."""


_START = "import sys; sys.path.append(sys.argv[1]); from netsuke.curate.worker import main; main()"


class Parser:
    """The child process, started on first use and again after it died. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        process = self._process
        return process.pid if process and self._owner == os.getpid() and process.poll() is None else None

    def ask(self, path: Path, suffix: str, seconds: float) -> dict[str, Any]:
        """The child's answer. Raises ParserDied on a crash or after `seconds`; the next call starts anew."""
        line = json.dumps({"path": str(path.absolute()), "suffix": suffix}).encode() + b"\n"
        with self._lock:
            if self.pid is None:
                self._end()  # it may have died since the last file
                self._start()
            assert self._process
            try:
                return self._exchange(self._process, line, time.monotonic() + seconds)
            except ParserDied:
                self._end()
                raise
            except TimeoutError:
                self._end()
                raise ParserDied(f"not read within {seconds:.0f} seconds") from None
            except BaseException:
                self._end()  # half an answer in the pipe would be taken for the next file's
                raise

    def _start(self) -> None:
        # No `-m`: it would put the current folder, which may hold the person's own json.py, on the path.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(Path(__file__).parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the parent, which ends the child
        )
        self._owner = os.getpid()

    def _exchange(self, process: subprocess.Popen[bytes], line: bytes, deadline: float) -> dict[str, Any]:
        assert process.stdin and process.stdout
        answer = bytearray()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(line)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not answer.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                block = os.read(process.stdout.fileno(), 1 << 16)
                if not block:
                    raise ParserDied(_ending(process))
                answer += block
        result: dict[str, Any] = json.loads(answer)
        return result

    def _end(self) -> None:
        process, self._process = self._process, None
        if process and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._end()


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    if code < 0:
        return f"the parser crashed ({signal.Signals(-code).name})"
    return f"the parser ended with exit code {code}"


parser = Parser()
atexit.register(parser.close)


def _parse(path: Path, suffix: str, size: int) -> dict[str, str]:
    try:
        result = parser.ask(path, suffix, seconds=max(20.0, 10.0 * size / 1e6))
    except ParserDied as died:
        raise Refused("unreadable", str(died)) from None
    if drop := result.get("drop"):
        raise Refused(drop["rule"], drop["detail"])
    return {name: str(result[name]) for name in ("text", "reader", "title")}
