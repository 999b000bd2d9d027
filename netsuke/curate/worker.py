"""The child that reads: a line on stdin asks for a file, a line on stdout says what became of it.

    {"path", "suffix", "bytes", "out", "options", "seconds", "memory_mb"}
    {"ok": bytes written} | {"drop": {"rule", "detail"}} | {"unwritten": errno of `out`}

It alone loads parsers. A file's text stays here: what is known of it is written to `out`.
netsuke.curate.child ends it when it takes too long.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from xml.etree import ElementTree

from ..readers import book, html, legacy, mail, notebook, opendocument, pdf, sheets, slides, word
from ..readers.decode import decode
from ..readers.kinds import PARSED, TEXT, kind_of
from ..readers.pages import Found, Refused, without_embedded
from ..store import canonical
from ..terminal import printable

Examine = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]

# One after the other is tried, until one does not fail.
READERS: dict[str, tuple[tuple[str, Callable[[BinaryIO, str], Found]], ...]] = {
    ".html": (("html", html.read),),
    ".pdf": (("kreuzberg", pdf.read), ("pypdf", pdf.read_damaged)),
    ".docx": (("word", word.read),),
    ".pptx": (("slides", slides.read),),
    ".xlsx": (("sheets", sheets.read),),
    ".odt": (("opendocument", opendocument.read_text),),
    ".ods": (("opendocument", opendocument.read_sheets),),
    ".odp": (("opendocument", opendocument.read_slides),),
    ".epub": (("book", book.read_epub),),
    ".fb2": (("book", book.read_fb2),),
    ".eml": (("mail", mail.read_eml),),
    ".mbox": (("mail", mail.read_mbox),),
    ".ipynb": (("notebook", notebook.read),),
    ".rtf": (("kreuzberg", legacy.read),),
    ".doc": (("kreuzberg", legacy.read),),
    ".xls": (("kreuzberg", legacy.read_sheets),),
    ".ppt": (("kreuzberg", legacy.read),),
    ".msg": (("kreuzberg", legacy.read_mail),),
}

_NOT_ITS_NAME = "it is damaged, or not what its name says"
_CHANGED = "it changed while it was read"
_SAMPLE = "A few words of a language, so that what tells it is loaded before the first file is."


# -- one file --------------------------------------------------------------------------------------------
def raw_of(path: Path, suffix: str, size: int) -> dict[str, Any]:
    """What `examine` is given: text, reader, title, pages, suffix, bytes, markup and path of a file.

    Raises Refused if it is not the file of `size` bytes that it was, or changes meanwhile; and whatever its
    reader raises.
    """
    # Not to wait for a pipe's other end, should there be a pipe by now.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode) or before.st_size != size:
            raise Refused("unreadable", _CHANGED)
        kind = kind_of(file, suffix)
        file.seek(0)
        found, reader = _plain(file, suffix) if kind is None else _parsed(file, kind)
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Refused("unreadable", _CHANGED)
    return {
        "text": without_embedded(printable(found.text)),
        "reader": reader,
        "title": printable(found.title),
        "pages": [[line, printable(label)] for line, label in found.pages],
        "suffix": kind or suffix,
        "bytes": size,
        "markup": found.markup,
        "path": str(path),
    }


def _plain(file: BinaryIO, suffix: str) -> tuple[Found, str]:
    try:
        text, encoding = decode(file.read())
    except Refused:
        if suffix in TEXT:
            raise
        if suffix in PARSED:
            raise Refused("unreadable", _NOT_ITS_NAME) from None
        raise Refused("unsupported type", suffix or "no suffix, and not text") from None
    return Found(text), f"text ({encoding})"


def _parsed(file: BinaryIO, kind: str) -> tuple[Found, str]:
    """What the first reader finds that does not fail, and its name."""
    failures: list[Exception] = []
    for name, read in READERS[kind]:
        file.seek(0)
        try:
            found = read(file, kind)
        except (Refused, MemoryError):
            raise
        except Exception as error:
            failures.append(error)
            continue
        if found.text.strip():
            return found, name
        raise Refused("empty", "no text in it: scanned pages?" if kind == ".pdf" else "no text in it")
    raise failures[0]


# -- one request -----------------------------------------------------------------------------------------
def answer(request: Mapping[str, Any], examine: Examine) -> dict[str, Any]:
    """The line for a request; anything that goes wrong with the file is a drop."""
    raw = None
    try:
        raw = raw_of(Path(request["path"]), request["suffix"], request["bytes"])
        result = canonical(examine(raw, request["options"])) + b"\n"
    except Refused as refused:
        return _drop(refused.rule, refused.detail)
    except OSError as error:
        return _drop("unreadable", error.strerror or type(error).__name__)
    except MemoryError:
        return _drop("too large", f"it needs more than {request['memory_mb']:g} MB of memory")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in native code is a BaseException
        return _drop("unreadable", _told(error) if raw is None else f"examine: {error!r}")
    try:
        Path(request["out"]).write_bytes(result)
    except OSError as error:
        return {"unwritten": error.errno}
    return {"ok": len(result)}


def _drop(rule: str, detail: str) -> dict[str, Any]:
    return {"drop": {"rule": rule, "detail": printable(" ".join(detail.split())[:200])}}


def _told(error: BaseException) -> str:
    if isinstance(error, zipfile.BadZipFile):
        return _NOT_ITS_NAME
    if isinstance(error, ElementTree.ParseError):
        return f"damaged XML: {error}"
    if isinstance(error, json.JSONDecodeError):
        return f"damaged JSON: {error}"
    if isinstance(error, RecursionError):
        return "its parts are nested too deep"
    return str(error) or type(error).__name__


# -- the service -----------------------------------------------------------------------------------------
def limit(seconds: float, memory_mb: float) -> None:
    """Bound what one file may take from here on, where the system can.

    RLIMIT_DATA counts private memory that can be written. RLIMIT_AS would count address space, of which
    rensa's allocator alone reserves 1 GB (0.5.0). macOS holds nobody to either: there, only time is bounded.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[5]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (used + int(memory_mb * 1e6), hard))
    with contextlib.suppress(ImportError, OSError, ValueError):
        # Of the processor: how busy the machine is must not decide what is learnt. And a parser in a loop ends even
        # if the parent, who would end it, is gone.
        spent = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        at_most = math.ceil(spent.ru_utime + spent.ru_stime + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (at_most, hard))


def serve(requests: TextIO, answers: TextIO, examine: Examine) -> None:
    """Answer each line; ends with the input, and so with the parent."""
    for line in requests:
        request = json.loads(line)
        limit(request["seconds"], request["memory_mb"])
        answers.write(json.dumps(answer(request, examine)) + "\n")
        answers.flush()


def main(examine: Examine | None = None) -> None:
    """Serve stdin and stdout; the first line out, {"ready": true} or {"failed": why}, says that all is loaded.

    What a parser prints goes to stderr, not between the answers; and none reads what is asked.
    """
    requests = os.fdopen(os.dup(0), encoding="ascii")
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    with open(os.devnull, encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    try:
        examine = _warmed_up(examine)
    except Exception as error:  # a library that is missing or broken
        answers.write(json.dumps({"failed": f"{type(error).__name__}: {error}"}) + "\n")
        return
    gc.freeze()  # what is loaded now stays: to look through it again and again costs 5%
    answers.write('{"ready": true}\n')
    answers.flush()
    serve(requests, answers, examine)


def _warmed_up(examine: Examine | None) -> Examine:
    """Load what reading loads, so that it counts neither as a file's time nor as its memory."""
    import kreuzberg  # noqa: F401

    if examine is None:
        from .examine import examine as examine_file

        examine = examine_file
    raw = {"text": _SAMPLE, "reader": "text (utf-8)", "title": "", "pages": [], "suffix": ".txt"}
    examine(raw | {"bytes": len(_SAMPLE), "markup": None, "path": ""}, {"profile": "auto", "countries": ()})
    return examine
