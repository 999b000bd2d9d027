"""Real documents of this machine, as texts: its manual pages, what lies in /usr/share/doc, Python's own reference.

Each comes with questions that a person put to it before: the line that says what a manual page is about, and headings.
The text that a question was made of is taken out of the document, so that nothing finds it by its own words.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from netsuke.index import asked
from netsuke.index.asked import Asked as Asked

MANUALS, DOCS = Path("/usr/share/man"), Path("/usr/share/doc")
MOST_BYTES = 2_000_000  # of a file
_DROPPED = re.compile(r"^[.'](?:\\\"|TH|TP|PP|P|LP|IP|RS|RE|nf|fi|sp|br|ft|ie|el|if|de|ds|ad|nh|hy|in|ta|PD|EX|EE|UR|UE"
                      r"|so|ig|\.).*$", re.MULTILINE)  # fmt: skip
_PARAGRAPH = re.compile(r"^\.(?:PP|P|LP|Pp|TP|IP|sp)\b.*$", re.MULTILINE)
_SECTION = re.compile(r"^\.S([HSh])\s+(.*)$", re.MULTILINE)
_REQUEST = re.compile(r"^[.']\s*[A-Za-z]{1,3}\s*", re.MULTILINE)
_FONT = re.compile(r"\\f(?:\[[^\]]*\]|\(..|.)|\\s[+-]?\d|\\[&/,|^!]|\\m\[[^\]]*\]|\"")
_NAMED = {r"\-": "-", r"\(em": "-", r"\(en": "-", r"\(aq": "'", r"\(dq": '"', r"\(bu": "-", r"\e": "\\", r"\ ": " ",
          r"\(co": "©", r"\(lq": '"', r"\(rq": '"', r"\*(Aq": "'", r"\(oq": "'", r"\(cq": "'"}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A document without what its questions were made of."""

    path: str
    text: str
    questions: list[Asked] = field(default_factory=list)


def manuals() -> Iterator[Page]:
    """Manual pages, each asked for by what its NAME says that it is for."""
    for path in sorted(MANUALS.glob("man[1-8]/*.gz")):
        if path.is_file() and path.stat().st_size < MOST_BYTES and not path.is_symlink():
            text = _plain(gzip.decompress(path.read_bytes()).decode("utf-8", "replace"))
            if found := re.search(r"^# NAME\n+(?P<names>[^\n]*?) -+ (?P<about>[^#]*?)\n+(?=#|$)", text):
                rest = text[found.end() :].strip()
                about = " ".join(found["about"].split())
                whole = [Asked(about, 0, len(rest))] if 3 <= len(about.split()) <= 20 else []
                yield Page(path.name.removesuffix(".gz"), rest, whole)


def _plain(source: str) -> str:
    """The text of a manual page without its commands; sections are headings. Roughly: nobody sets it."""
    text = _SECTION.sub(lambda found: f"\n{'#' if found[1] in 'Hh' else '##'} {found[2].strip()}\n", source)
    text = re.sub(r"^\.Nd\s+", "- ", text, flags=re.MULTILINE)
    text = _REQUEST.sub("", _DROPPED.sub("", _PARAGRAPH.sub("\n", text)))
    for code, shown in _NAMED.items():
        text = text.replace(code, shown)
    text = _FONT.sub("", text)
    text = re.sub(r"\\\[u([0-9A-F]{4})\]", lambda found: chr(int(found[1], 16)), text)
    text = re.sub(r"\\\(..|\\\[[^\]]*\]|\\[a-z]", "", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def readmes() -> Iterator[Page]:
    """Texts, Markdown and web pages of /usr/share/doc, asked for by their headings."""
    from netsuke.readers import html

    for path in sorted(DOCS.rglob("*")):
        kind = path.name.removesuffix(".gz")
        if not path.is_file() or path.is_symlink() or path.stat().st_size > MOST_BYTES or kind == "copyright":
            continue
        opened = gzip.open if path.suffix == ".gz" else open
        if kind.endswith((".md", ".txt", ".rst", ".html")) or kind.startswith(("README", "NEWS", "changelog")):
            with opened(path, "rb") as file:
                data = file.read()
            if kind.endswith(".html"):
                text = html.read(io.BytesIO(data), ".html").text
            else:
                text = data.decode("utf-8", "replace")
            text = "\n".join(line.rstrip() for line in text.replace("\r", "").split("\n"))
            name = path.relative_to(DOCS).as_posix()
            yield Page(name, text) if kind.startswith("changelog") else headless(name, text)


def python() -> Iterator[Page]:
    """The texts of examples/python-docs, asked for by their headings."""
    import pydoc_data.topics

    for name, text in sorted(pydoc_data.topics.topics.items()):
        yield headless(f"{name}.rst", text)


def headless(path: str, text: str) -> Page:
    """A text without its headings, which are questions now if they say enough."""
    return Page(path, *asked.headless(text))
