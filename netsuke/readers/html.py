"""HTML to text with its structure: what a reader of the page sees, without menus."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import BinaryIO

from .blocks import Blocks, is_layout, one_line, superscript
from .decode import decode
from .pages import Found

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SKIPPED = frozenset(
    """script style noscript template svg math canvas iframe object audio video select button textarea dialog
rt rp""".split()
)
_RAW = frozenset("script style textarea iframe".split())  # what they hold is no HTML
_SWALLOWS = _SKIPPED - _RAW  # those that must not hide the rest of the page where no end tag comes
_READINGS = ("rt", "rp")  # over the characters of a ruby; their end tags may be left out
_MENUS = frozenset("nav aside footer".split())
_TEXTS = ("article", "main", "blockquote")  # in them an aside is a note, and a footer says whose words these are
_MENU_ROLES = frozenset("navigation search contentinfo complementary menu menubar toolbar".split())
_LISTS = ("ul", "ol", "menu", "dir")
# Elements that must be closed: an end tag closes whatever of them is open inside.
_CLOSED = (
    _SKIPPED
    | _MENUS
    | frozenset("body main article section div header table blockquote pre form figure dl".split())
    | frozenset(_LISTS)
    | {"ruby"}
)
_BREAKS = (
    _CLOSED
    | _HEADINGS.keys()
    | frozenset("p li dt dd tr td th caption hr figcaption fieldset address details summary option".split())
) - (_SKIPPED | {"ruby"})
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
# What ends an element whose end tag is left out; the others end with what they are in.
_ENDED_BY = {
    "p": _BREAKS, "li": ("li",), "dt": ("dt", "dd"), "dd": ("dt", "dd"), "td": ("td", "th", "tr"),
    "th": ("td", "th", "tr"), "tr": ("tr",), "option": ("option",), "rt": _READINGS, "rp": _READINGS,
}  # fmt: skip
_REFERENCE = re.compile(r"noteref|footnote|fnref|cite_?ref", re.IGNORECASE)  # to a note
_NOT_SHOWN = re.compile(r"\b(?<!-)display\s*:\s*none\b", re.IGNORECASE)
_LINE_NUMBERS = frozenset("linenos linenodiv lineno".split())  # the classes that Pygments and Rouge give them
_LAYOUT = _HEADINGS.keys() | frozenset((*_LISTS, "dl", "pre", "blockquote", "table"))  # not for a cell's text
_LANGUAGE = re.compile(r"\b(?:language|lang|highlight(?:-source)?)-([\w+#.-]+)")
_NAMES_LANGUAGE = ("pre", "code", "div", "figure")  # a body's lang-en is no language of code
_NO_LANGUAGE = frozenset("default none text plain plaintext nohighlight".split())
_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([-\w]+)""", re.IGNORECASE)
_XML = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([-\w]+)""")
_RAW_END = re.compile(r"</(script|style)(?![\w-])", re.IGNORECASE | re.ASCII)
_MARK = re.compile(
    r"<!--|-->|</(?:script|style)(?![\w-])|<(script|style)(?![\w-])[^<>]*+(?<!/)>", re.IGNORECASE | re.ASCII
)
_IN_RAW = re.compile("<!+")
_DECLARATION = re.compile(r"<!\[(?!CDATA\[)[^>]*>?", re.IGNORECASE)


@dataclass
class _Row:
    """The row of a table that is open: its cells' paragraphs, until one of them is no mere text."""

    cells: list[list[str]] = field(default_factory=list)
    layout: bool = False


@dataclass
class _Raised:
    """The superscript that is open: where it began, and whether it says more than where a note is."""

    at: int
    reference: bool
    own: bool


class _Page(HTMLParser):
    """Collects blocks. `menus` says whether what is beside the page's own text counts too; `hidden`, what is hidden;
    `alone`, that only what is beside it does.

    `shown` are elements that are not skipped, whatever they are, by their number in the page. Of a `chapter` all is
    text but its lists of links.
    """

    def __init__(
        self, shown: frozenset[int], chapter: bool = False, hidden: bool = False, menus: bool = False,
        alone: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(convert_charrefs=True)
        self.blocks = Blocks()
        self.title = ""
        self.skipped_menu = self.skipped_hidden = False
        self.unclosed: set[int] = set()  # elements that would be skipped, but do not end where they should
        self.licences: list[str] = []  # the addresses of those that the page says it is under
        self._chapter, self._menus, self._hidden, self._alone = chapter, menus, hidden, alone
        self._beside: list[int] = []  # the menus that are open, by their number
        self._shown = shown
        self._open: list[str] = []
        self._numbers: list[int] = []  # of what is open
        self._last = 0
        self._count: Counter[str] = Counter()
        self._skip_from: int | None = None  # how many were open when what is skipped began
        self._in_hidden = False  # whether that is skipped because it is hidden
        self._inline: list[str] = []
        self._rows: list[_Row] = []  # one for each open table
        self._heading = 0
        self._item = False
        self._in_title = False
        self._language = ""
        self._raised: _Raised | None = None
        self._link: str | None = None  # what stands in the open link, if it is no white space

    # -- what the parser calls
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self._last += 1
        if tag == "body" or (tag in ("main", "article") and not self._in_hidden):
            self._stop_skipping()  # an unclosed <nav> must not swallow the page
        if self._open and tag in _ENDED_BY.get(self._open[-1], ()):
            self._pop(self._open[-1])
        if self._skip_from is None and tag in _BREAKS:
            self._flush(tag)
        if tag in ("a", "area", "link"):
            self._note_licence(about)
        hidden = _is_hidden(about)
        if tag in _CLOSED or (tag not in _VOID and (hidden or self._count[tag])):
            self._push(tag, about, hidden)
        if self._skip_from is None and not (hidden and tag in _VOID):
            self._start(tag, about)

    def handle_endtag(self, tag: str) -> None:
        if self._count[tag]:
            self._pop(tag)
        elif tag == "title":
            self._in_title = False
        elif self._skip_from is None and tag not in _CLOSED:
            self._end(tag)
        elif self._skip_from is None and tag in _BREAKS:
            self._flush()

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._skip_from is None and (self._beside or not self._alone):
            self._inline.append(data if self._count["pre"] else re.sub(r"\s+", " ", data))
            if self._raised and self._link is None and data.strip(" [](),"):
                self._raised.own = True
            elif self._link is not None:
                self._link = self._link or data.strip()

    def unknown_decl(self, data: str) -> None:
        if data.startswith("CDATA["):
            self.handle_data(data.removeprefix("CDATA["))

    def finish(self) -> None:
        """Close the parser and everything that is open."""
        self.close()
        self.unclosed.update(self._numbers[at] for at, tag in enumerate(self._open) if tag in _SWALLOWS)
        self._stop_skipping()
        while self._open:
            self._pop(self._open[-1])
        self._flush()

    # -- what is open
    def _push(self, tag: str, attrs: dict[str, str | None], hidden: bool) -> None:
        menu = self._is_menu(tag, attrs)
        hidden = hidden and not self._hidden
        skipped = tag in _SKIPPED or hidden or (menu and not self._menus)
        if self._skip_from is None and skipped and self._last not in self._shown:
            self._skip_from, self._in_hidden = len(self._open), hidden
            self.skipped_menu |= menu
            self.skipped_hidden |= hidden
        if menu:
            self._beside.append(self._last)
        self._open.append(tag)
        self._numbers.append(self._last)
        self._count[tag] += 1

    def _is_menu(self, tag: str, attrs: dict[str, str | None]) -> bool:
        """Whether an element is beside the page's own text."""
        if attrs.get("role") in _MENU_ROLES or tag == "nav":
            return True
        return tag in _MENUS and not self._chapter and not any(self._count[text] for text in _TEXTS)

    def _pop(self, tag: str) -> None:
        """Close the innermost open `tag` and all inside it."""
        while True:
            closed = self._open[-1]
            if self._skip_from is None:
                self._end(closed)
            self._open.pop()
            number = self._numbers.pop()
            if self._beside[-1:] == [number]:
                self._beside.pop()
            if closed in _SWALLOWS and tag not in (closed, "ruby"):
                self.unclosed.add(number)
            self._count[closed] -= 1
            if self._skip_from is not None and len(self._open) <= self._skip_from:
                self._skip_from, self._in_hidden = None, False
            if closed == tag:
                return

    def _note_licence(self, attrs: dict[str, str | None]) -> None:
        """rel=license speaks of the page (HTML, 4.6.7), in a figure of what that shows; another type is RSL's."""
        relations, kind = (attrs.get("rel") or "").lower().split(), attrs.get("type") or "text/html"
        if "license" in relations and kind == "text/html" and attrs.get("href") and not self._count["figure"]:
            self.licences.append((attrs["href"] or "").strip())

    def _stop_skipping(self) -> None:
        while self._skip_from is not None:
            self._pop(self._open[-1])

    # -- what is shown
    def _start(self, tag: str, attrs: dict[str, str | None]) -> None:
        if tag in _NAMES_LANGUAGE and (found := _LANGUAGE.search(attrs.get("class") or "")):
            self._language = found[1]
        if tag == "title" and not self.title:
            self._in_title = True
        elif tag == "br":
            self._inline.append("\n")
        elif tag == "a" and attrs.get("href"):
            self._link = ""
        elif tag == "sup":
            told = " ".join(attrs.get(name) or "" for name in ("id", "class", "role", "epub:type"))
            self._raised = _Raised(len(self._inline), bool(_REFERENCE.search(told)), own=bool(self._link))
        elif tag in _LAYOUT and self._rows:
            self._to_layout(self._rows[-2 if tag == "table" else -1 :][0])
        if tag in _HEADINGS:
            self._heading = _HEADINGS[tag]
        elif tag == "li":
            self._item = True
        elif tag == "table":
            self._rows.append(_Row())
        elif tag == "tr" and self._rows:
            self._end_row()
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].cells.append([])

    def _end(self, tag: str) -> None:
        if tag == "pre":
            self._flush_code()
        elif tag in _BREAKS:
            self._flush(tag)
        if tag in _HEADINGS:
            self._heading = 0
        elif tag == "li":
            self._item = False
        elif tag == "a":
            self._link = None
        elif tag == "sup":
            self._end_raised()
        elif tag == "tr" and self._rows:
            self._end_row()
        elif tag == "table" and self._rows:
            self._end_row()
            self._rows.pop()
            self.blocks.end_table()

    def _flush(self, tag: str = "") -> None:
        """What was written since the last break becomes a block, or a part of a cell, or in code a line."""
        if self._count["pre"]:
            if self._inline and tag not in ("td", "th") and not self._inline[-1].endswith("\n"):
                self._inline.append("\n")
            return
        text = re.sub(r" *\n *", "\n", re.sub(" {2,}", " ", "".join(self._inline)))
        text = text.rstrip(" \n¶").lstrip()  # a pilcrow is the link of a heading to itself
        self._inline.clear()
        self._raised, self._link = None, None
        if not text:
            return
        self._language = ""  # it was of something else
        row = self._rows[-1] if self._rows else None
        if row and row.cells and not row.layout:
            row.cells[-1].append(text)
        elif self._heading:
            self.blocks.heading(self._heading, text)
        elif self._item:
            self.blocks.item(text, sum(self._count[name] for name in _LISTS))
        else:
            self.blocks.paragraph(text)
        self._heading, self._item = 0, False

    def _end_raised(self) -> None:
        """What was raised is marked where it is a power, and gone where it leads to a note."""
        raised, self._raised = self._raised, None
        if raised is None:
            return
        text = "".join(self._inline[raised.at :])
        before = self._inline[raised.at - 1] if raised.at else ""
        kept = raised.own and not raised.reference
        self._inline[raised.at :] = [superscript(before, text)] if kept else []

    def _flush_code(self) -> None:
        code = "".join(self._inline).replace("\r\n", "\n")
        self._inline.clear()
        self.blocks.code(code, "" if self._language in _NO_LANGUAGE else self._language)
        self._language, self._heading, self._item = "", 0, False

    def _to_layout(self, row: _Row) -> None:
        """The cells of this row are parts of the page: show each paragraph on its own."""
        for cell in row.cells:
            for paragraph in cell:
                self.blocks.paragraph(paragraph)
        row.cells, row.layout = [[]], True

    def _end_row(self) -> None:
        row = self._rows[-1]
        if not row.layout and is_layout(row.cells):
            self._to_layout(row)
        elif not row.layout:
            self.blocks.row(" ".join(cell) for cell in row.cells)
        self._rows[-1] = _Row()


def _parseable(source: str) -> str:
    """The source without what html.parser raises at, or takes the square of its length for.

    Comments and `<![if …]>` go; a `<` after the last `>` opens no tag. What looks like them in a script is none.
    """
    ends = {found[1].lower(): found.start() for found in _RAW_END.finditer(source)}  # the last of each
    kept, at, end = [], 0, ""  # what ends the comment, script or style that is open
    for found in _MARK.finditer(source):
        if end and found[0].lower() == end:
            if end != "-->":
                kept.append(_IN_RAW.sub("<", source[at : found.start()]))
            at, end = found.end() if end == "-->" else found.start(), ""
        elif not end and (found[0] == "<!--" or found.start() < ends.get((found[1] or "").lower(), 0)):
            kept.append(source[at : found.start()])
            at, end = found.start(), f"</{found[1].lower()}" if found[1] else "-->"
    kept.append(source[at:].replace("<!--", ""))
    tags, closing, rest = _DECLARATION.sub("", "".join(kept)).rpartition(">")
    return tags + closing + rest.replace("<", "&lt;")


def _is_hidden(attrs: dict[str, str | None]) -> bool:
    """Whether a reader does not see an element, or sees the number of a line in it."""
    if "hidden" in attrs and attrs["hidden"] != "until-found":
        return True
    if (style := attrs.get("style")) and _NOT_SHOWN.search(style):
        return True
    named = attrs.get("class") or ""
    return "line" in named and not _LINE_NUMBERS.isdisjoint(named.split())


def html_text(source: str, chapter: bool = False) -> tuple[str, str]:
    """(text, title) of a page: what is hidden and menus are left out, unless there is nothing else.

    Of a `chapter` of a book asides and footers are text.
    """
    source = _parseable(source)
    page, shown = _page(source, frozenset(), chapter), frozenset[int]()
    if page.unclosed:  # an unclosed <button> must not swallow the page either
        shown = frozenset(page.unclosed)
        page = _page(source, shown, chapter)
    text = page.blocks.text()
    if not text and page.skipped_hidden:  # until a script shows it
        page = _page(source, shown, chapter, hidden=True)
        text = page.blocks.text()
    if not text and page.skipped_menu:
        page = _page(source, shown, chapter, hidden=True, menus=True)
        text = page.blocks.text()
    return text, one_line(page.title)


def beside(source: str) -> tuple[str, list[str]]:
    """(what the menus, asides and footers of a page say, the addresses of the licences that it says it is under)."""
    page = _page(_parseable(source), frozenset(), menus=True, alone=True)
    return page.blocks.text(), page.licences


def _page(source: str, shown: frozenset[int], chapter: bool = False, **what: bool) -> _Page:
    page = _Page(shown, chapter, **what)
    page.feed(source)
    page.finish()
    return page


def source_of(data: bytes) -> str:
    """The source of a page, in the encoding that it declares, as HTML or else as XML."""
    head = data[:4096]
    declared = _CHARSET.search(head) or _XML.match(head)
    return decode(data, declared[1].decode() if declared else None)[0]


def read(file: BinaryIO, suffix: str) -> Found:
    """An HTML file; one without a single tag is plain text, as it is."""
    source = source_of(file.read())
    if not re.search(r"<[a-zA-Z!/]", source):
        return Found(source)
    text, title = html_text(source)
    return Found(text, title, markup=source)
