"""The child that parses: one JSON line {"path", "suffix"} on stdin, one JSON line back on stdout.

It is the only module that loads a parser. Its memory is limited, and netsuke.curate.read ends it when
it takes too long. Run alone: `python -m netsuke.curate.worker`.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import os
import re
import sys
from collections.abc import Callable
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TextIO

from .read import PARSED, Refused, decode

MEMORY_BYTES = 2 << 30
MAX_CHARACTERS = 100_000_000  # of text from one file: more is a bomb, not a document

Read = tuple[str, str]  # text, title


# -- readers: a path -> (text, title); any exception means that this reader cannot read it ------------------
def _kreuzberg(path: Path, suffix: str) -> Read:
    import kreuzberg

    # Pages, because the whole-document text of a PDF can hold a paragraph twice (kreuzberg 4.10.4).
    pages = kreuzberg.PageConfig(extract_pages=True) if suffix == ".pdf" else None
    config = kreuzberg.ExtractionConfig(  # type: ignore[call-arg]  # disable_ocr is not in its stub
        use_cache=False,
        disable_ocr=True,
        enable_quality_processing=False,
        pages=pages,
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    result = kreuzberg.extract_bytes_sync(path.read_bytes(), PARSED[suffix], config)
    text = result.content
    if result.pages:
        text = "\n\n".join(page["content"] for page in result.pages)
        text = re.sub(r"\x02\s*", "", text)  # PDFium's mark for a hyphen at the end of a line
    return text, str(result.metadata.get("title") or result.metadata.get("subject") or "")


def _pypdf(path: Path, suffix: str) -> Read:
    import pypdf

    reader = pypdf.PdfReader(path)
    text = "\n\n".join(page.extract_text() for page in reader.pages)
    return text, str((reader.metadata and reader.metadata.title) or "")


def _email(path: Path, suffix: str) -> Read:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    if not message.keys():
        raise ValueError("it has no mail headers")
    body = message.get_body(preferencelist=("plain", "html"))
    content = str(body.get_content()) if body else ""
    if body and body.get_content_subtype() == "html":
        content = html_text(content)[0]
    lines = [f"{name}: {message[name]}" for name in ("Subject", "From", "To", "Date") if message[name]]
    return "\n".join(lines) + "\n\n" + content, str(message["Subject"] or "")


def _notebook(path: Path, suffix: str) -> Read:
    cells = json.loads(path.read_bytes())["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] in ("markdown", "code", "raw")]
    return "\n\n".join(texts), ""


def _html(path: Path, suffix: str) -> Read:
    data = path.read_bytes()
    declared = re.search(rb"""charset\s*=\s*["']?\s*([-\w]+)""", data[:4096], re.IGNORECASE)
    return html_text(decode(data, declared[1].decode() if declared else None)[0])


# Our own first for HTML: kreuzberg 4.10.4 loses block quotes, leaves ** marks and takes every byte for UTF-8.
READERS: dict[str, list[tuple[str, Callable[[Path, str], Read]]]] = {
    ".html": [("html", _html)],
    ".htm": [("html", _html)],
    ".xhtml": [("html", _html)],
    ".pdf": [("kreuzberg", _kreuzberg), ("pypdf", _pypdf)],
    ".eml": [("kreuzberg", _kreuzberg), ("email", _email)],
    ".ipynb": [("kreuzberg", _kreuzberg), ("notebook", _notebook)],
}


# -- HTML ------------------------------------------------------------------------------------------------
_BREAKS = dict.fromkeys(
    """p div section article main header footer aside ul ol dl table blockquote pre figure
figcaption form fieldset address details summary hr h1 h2 h3 h4 h5 h6 body""".split(),
    "\n\n",
)
_BREAKS |= dict.fromkeys("br tr li dt dd option caption".split(), "\n")
_SKIPPED = frozenset("script style noscript template svg nav iframe object select button textarea".split())


class _HtmlText(HTMLParser):
    """Collects the text that a reader of the page sees, a block a paragraph."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title = ""
        self._skip = self._pre = 0
        self._in_title = False
        self._line_start = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("body", "main", "article"):
            self._skip = 0  # an unclosed <nav> must not swallow the page
        if tag in _SKIPPED:
            self._skip += 1
        elif tag == "title" and not self._skip:
            self._in_title = True
        elif tag in ("td", "th") and not self._line_start:
            self._put("\t")
        self._break(tag)
        if tag == "li":
            self._put("- ")
            self._line_start = True
        self._pre += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self._skip = max(0, self._skip - 1)
        elif tag == "title":
            self._in_title = False
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)
        if tag not in ("br", "hr", "li"):
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._pre:
            self._put(data)
        else:
            text = re.sub(r"\s+", " ", data)
            self._put(text.lstrip(" ") if self._line_start else text)

    def _break(self, tag: str) -> None:
        if mark := _BREAKS.get(tag):
            self._put(mark)
            self._line_start = True

    def _put(self, text: str) -> None:
        if text and not self._skip:
            self.parts.append(text)
            self._line_start = text.endswith("\n")


def html_text(source: str) -> Read:
    """(the text of a page, its title): a block a paragraph, an item a line, tabs between cells, no menus."""
    page = _HtmlText()
    page.feed(source)
    page.close()
    text = re.sub(r" +\n", "\n", "".join(page.parts))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n"), " ".join(page.title.split())


# -- the service -----------------------------------------------------------------------------------------
def parse(path: Path, suffix: str) -> dict[str, Any]:
    """{"text", "reader", "title"} from the first reader that finds text, or {"drop": {"rule", "detail"}}."""
    failure: BaseException | None = None
    refusal: Refused | None = None
    for name, reader in READERS.get(suffix, [("kreuzberg", _kreuzberg)]):
        try:
            text, title = reader(path, suffix)
        except Refused as error:
            refusal = refusal or error
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic in native code is a BaseException
            failure = failure or error
        else:
            if len(text) > MAX_CHARACTERS:
                return _drop("too large", f"{len(text):,} characters of text come out of it")
            if text.strip():
                return {"text": text, "reader": name, "title": title}
    if refusal:
        return _drop(refusal.rule, refusal.detail)
    if failure:
        return _drop("unreadable", _one_line(failure))
    return _drop("empty", "no text in it: scanned pages?" if suffix == ".pdf" else "no text in it")


def _drop(rule: str, detail: str) -> dict[str, Any]:
    return {"drop": {"rule": rule, "detail": detail}}


def _one_line(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"it needs more than {MEMORY_BYTES / 2**30:.0f} GiB of memory"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _limit() -> None:
    """Bound the memory, where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer each line; ends with the input, and so with the parent."""
    for line in requests:
        request = json.loads(line)
        answers.write(json.dumps(parse(Path(request["path"]), request["suffix"])) + "\n")
        answers.flush()


def main() -> None:
    """Serve stdin and stdout. What a parser prints goes to stderr, not between the answers."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    _limit()
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
