"""EPUB and FictionBook: chapters in reading order, each a page."""

from __future__ import annotations

import io
import zipfile

import pytest
from made_documents import FB2, epub, zipped

from netsuke.readers import book
from netsuke.readers.pages import Refused


def test_an_epub_in_the_order_of_its_spine() -> None:
    chapters = {"a b.xhtml": "<h1>One</h1><p>x &lt; y</p>", "b.xhtml": "<h1>Two</h1>", "c.xhtml": "<img/>"}
    found = book.read_epub(io.BytesIO(epub(chapters, "A book", ["b.xhtml", "c.xhtml", "a b.xhtml"])), ".epub")
    assert found.title == "A book"
    assert found.text == "# Two\n\n# One\n\nx < y"
    assert found.pages == [(1, "chapter 1"), (3, "chapter 3")]


def test_the_notes_of_an_epub_are_text() -> None:
    body = (
        '<p>word<a epub:type="noteref" href="#n"><sup>1</sup></a></p><nav>links</nav>'
        '<aside epub:type="footnote" id="n"><p>The note.</p></aside><footer>Ann, 1911</footer>'
    )
    assert book.read_epub(io.BytesIO(epub({"a.xhtml": body})), ".epub").text == "word\n\nThe note.\n\nAnn, 1911"


def test_a_chapter_in_the_encoding_of_its_declaration() -> None:
    head = "<?xml version='1.0' encoding='windows-1251'?>"
    with zipfile.ZipFile(io.BytesIO(epub({"a.xhtml": ""}))) as package:
        members: dict[str, str | bytes] = {name: package.read(name) for name in package.namelist()}
    members["OEBPS/a.xhtml"] = f"{head}<html><body><p>привет, как дела</p></body></html>".encode("cp1251")
    assert book.read_epub(io.BytesIO(zipped(members)), ".epub").text == "привет, как дела"


def test_an_epub_without_a_list_is_refused() -> None:
    container = '<container><rootfiles><rootfile full-path="gone.opf"/></rootfiles></container>'
    with pytest.raises(Refused, match="list of its chapters"):
        book.read_epub(io.BytesIO(zipped({"META-INF/container.xml": container})), ".epub")


def test_a_fiction_book() -> None:
    found = book.read_fb2(io.BytesIO(FB2), ".fb2")
    assert found.title == "A book"
    assert found.text == "# The title\n\n# One\n\nx < y & z.\n\n## Inner\n\na\nb\n\nTwo."
    assert found.pages == [(3, "chapter 1"), (12, "chapter 2")]
