"""Small real files of each kind that is read, made in code."""

from __future__ import annotations

import io
import json
import zipfile

import pypdf

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
ODF = "urn:oasis:names:tc:opendocument:xmlns"


def zipped(members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


# -- PDF -------------------------------------------------------------------------------------------------
def pdf(*pages: list[str], title: str = "") -> bytes:
    """A PDF, a list of lines for each page."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(count)).encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number, lines in enumerate(pages):
        shown = b" ".join(b"(" + line.encode("latin-1") + b") Tj T*" for line in lines)
        content = b"BT /F1 12 Tf 72 720 Td 14 TL " + shown + b" ET"
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
            % (5 + 2 * number)
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
    objects.append(b"<</Title(%s)>>" % title.encode())
    made, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(made))
        made += b"%d 0 obj%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer<</Size %d/Root 1 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        size,
        size - 1,
        len(made),
    )
    return made + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def password_pdf() -> bytes:
    writer = pypdf.PdfWriter(io.BytesIO(pdf(["A secret line."])))
    writer.encrypt("sesame", algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


# -- Office ----------------------------------------------------------------------------------------------
def relations(*pairs: tuple[str, str]) -> str:
    """A relations part: the n-th of (type, target) has the id rn."""
    rows = "".join(
        f'<Relationship Id="r{n}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(pairs, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{rows}</Relationships>'


def office(main: str, members: dict[str, str | bytes], title: str = "") -> bytes:
    core = f'<x:core xmlns:x="x" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></x:core>'
    return zipped({
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": relations(("officeDocument", main)),
        "docProps/core.xml": core,
    } | members)  # fmt: skip


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


STYLES = f"""<w:styles xmlns:w="{W}">
<w:style w:styleId="H2"><w:name w:val="heading 2"/></w:style>
<w:style w:styleId="Own"><w:name w:val="My chapter"/><w:basedOn w:val="H2"/></w:style>
<w:style w:styleId="Bullets"><w:name w:val="List Bullet"/>
<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
<w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>
<w:style w:styleId="Source"><w:name w:val="Source Code"/></w:style>
<w:style w:styleId="Loop"><w:name w:val="loop"/><w:basedOn w:val="Loop"/></w:style></w:styles>"""


def docx(body: str, title: str = "", more: dict[str, str | bytes] | None = None) -> bytes:
    """A Word file with this XML as its body."""
    spaces = f'xmlns:w="{W}" xmlns:m="m" xmlns:mc="mc"'
    return office("word/document.xml", {
        "word/document.xml": f"<w:document {spaces}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": relations(("styles", "styles.xml"), ("footnotes", "footnotes.xml")),
        "word/styles.xml": STYLES,
    } | (more or {}), title)  # fmt: skip


def xlsx(
    sheets: dict[str, str], strings: str = "", styles: str = "", workbook: str = "", title: str = ""
) -> bytes:
    """A workbook with this XML as each sheet's rows."""
    names = list(sheets)
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(names, 1))
    parts = [("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(names) + 1)]
    return office("xl/workbook.xml", {
        "xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{OFFICE}">{workbook}<sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            *parts, ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")),
        "xl/sharedStrings.xml": f'<sst xmlns="{S}">{strings}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{S}">{styles}</styleSheet>',
    } | {
        f"xl/{member}": f'<worksheet xmlns="{S}"><sheetData>{sheets[name]}</sheetData></worksheet>'
        for name, (_, member) in zip(names, parts, strict=True)
    }, title)  # fmt: skip


def shape(text: str, placeholder: str = "", level: int = 0, bullet: str = "") -> str:
    """A shape on a slide with one paragraph."""
    kind = f"<p:nvPr>{placeholder}</p:nvPr>"
    words = f'<a:p><a:pPr lvl="{level}">{bullet}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>'
    return f"<p:sp><p:nvSpPr>{kind}</p:nvSpPr><p:txBody>{words}</p:txBody></p:sp>"


def pptx(*slides: str, notes: str = "", title: str = "") -> bytes:
    """A presentation with this XML as each slide's shapes; the notes are the first slide's."""
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="r{n}"/>' for n in range(1, len(slides) + 1))
    # The parts are numbered from the last: their order is in the presentation alone.
    files = [f"slides/slide{len(slides) - n}.xml" for n in range(len(slides))]
    members: dict[str, str | bytes] = {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{P}" xmlns:r="{OFFICE}"><p:sldIdLst>{ids}</p:sldIdLst>'
        "</p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(*(("slide", name) for name in files)),
    }
    tree = '<p:sld xmlns:p="{}" xmlns:a="{}"><p:cSld><p:spTree>{}</p:spTree></p:cSld></p:sld>'
    for name, shapes in zip(files, slides, strict=True):
        members[f"ppt/{name}"] = tree.format(P, A, shapes)
    if notes:
        members[f"ppt/slides/_rels/{files[0].removeprefix('slides/')}.rels"] = relations(
            ("notesSlide", "../notesSlides/n.xml")
        )
        members["ppt/notesSlides/n.xml"] = tree.format(P, A, notes)
    return office("ppt/presentation.xml", members, title)


def opendocument(kind: str, body: str, title: str = "", styles: str = "") -> bytes:
    """An OpenDocument file ("text", "spreadsheet", "presentation") with this XML as its body."""
    names = ("office", "text", "table", "drawing", "presentation", "style", "meta")
    short = {"drawing": "draw"}
    spaces = " ".join(f'xmlns:{short.get(n, n)}="{ODF}:{n}:1.0"' for n in names)
    return zipped({
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {spaces}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        "meta.xml": f'<m xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></m>',
    })  # fmt: skip


def compound(*streams: str) -> bytes:
    """The head of an OLE file whose directory has streams of these names."""
    entries = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *streams))
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + entries.ljust(2048, b"\0")


# -- books, mail, notebooks ------------------------------------------------------------------------------
def epub(chapters: dict[str, str], title: str = "", spine: list[str] | None = None) -> bytes:
    """An EPUB with these XHTML bodies by file name; the spine is their order unless it is given."""
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body>{}</body></html>'
    nav = '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    items = "".join(
        f'<item id="{name}" href="{name.replace(" ", "%20")}" media-type="application/xhtml+xml"/>'
        for name in chapters
    )
    order = "".join(f'<itemref idref="{name}"/>' for name in ["nav", *(spine or chapters)])
    opf = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><metadata><dc:title xmlns:dc="x">{title}</dc:title></metadata>'
        f"<manifest>{nav}{items}</manifest><spine>{order}</spine></package>"
    )
    root = '<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles>'
    return zipped({
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'<container xmlns="{ODF}:container">{root}</container>',
        "OEBPS/book.opf": opf,
        "OEBPS/nav.xhtml": page.format("<nav><ol><li>One</li></ol></nav><p>The list of chapters.</p>"),
    } | {f"OEBPS/{name}": page.format(body) for name, body in chapters.items()})  # fmt: skip


EML = (
    b"MIME-Version: 1.0\nSubject: =?utf-8?q?Caf=C3=A9?=\nFrom: ann@example.org\nTo: bo@example.org\n"
    b'Content-Type: multipart/alternative; boundary="x"\n\n--x\nContent-Type: text/plain; charset=iso-8859-1\n'
    b"Content-Transfer-Encoding: quoted-printable\n\nThe plain caf=E9.\n--x\nContent-Type: text/html\n\n"
    b"<p>The web one.</p>\n--x--\n"
)
FROM = b"From ann@example.org Thu Jan  1 00:00:00 2026\n"
MBOX = FROM + EML + b"\n" + FROM + b"Subject: two\n\nThe second.\n"
FB2 = b"""<?xml version="1.0" encoding="utf-8"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"><description><title-info><book-title>A book</book-title>
</title-info></description><body><title><p>The title</p></title><section><title><p>One</p></title>
<p>x &lt; y &amp; <emphasis>z</emphasis>.</p><section><title><p>Inner</p></title><poem><stanza><v>a</v><v>b</v></stanza>
</poem></section></section><section><p>Two.</p></section></body></FictionBook>"""
RTF = rb"{\rtf1\ansi{\info{\title Rich}}{\pard Some text, caf\'e9.\par}}"


def notebook(cells: list[dict[str, object]], language: str = "python") -> bytes:
    about = {"kernelspec": {"language": language}}
    return json.dumps({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}).encode()


def cell(kind: str, source: str, *outputs: dict[str, object]) -> dict[str, object]:
    return {"cell_type": kind, "source": source.splitlines(keepends=True), "outputs": list(outputs)}


HTML = """<!DOCTYPE html><html><head><title>A  page</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a><p>Menu</p></nav><h1>Head &amp; shoulders</h1><p>Some <b>bold</b> and
<i>slanted</i> caf\u00e9.<br>A line.</p><script>var a = "<p>no</p>";</script><blockquote>Quoted.</blockquote>
<ol><li>one<li>two</ol><table><tr><td>a</td><td>b</td></tr></table><pre>def f():
    return 1</pre></body></html>"""

# A small file of each kind that is parsed, with a word that must be in its text.
SAMPLES: dict[str, tuple[bytes, str]] = {
    ".html": (HTML.encode(), "shoulders"),
    ".pdf": (pdf(["Words of a page."]), "Words"),
    ".docx": (docx(paragraph("Words of a letter.")), "letter"),
    ".pptx": (pptx(shape("Words of a slide.")), "slide"),
    ".xlsx": (xlsx({"One": '<row><c t="inlineStr"><is><t>Words</t></is></c></row>'}), "Words"),
    ".odt": (opendocument("text", "<text:p>Words of a text.</text:p>"), "Words"),
    ".ods": (
        opendocument(
            "spreadsheet",
            '<table:table table:name="One"><table:table-row><table:table-cell><text:p>Words</text:p></table:table-cell>'
            "</table:table-row></table:table>",
        ),
        "Words",
    ),
    ".odp": (
        opendocument(
            "presentation",
            "<draw:page><draw:frame><draw:text-box><text:p>Words</text:p></draw:text-box></draw:frame></draw:page>",
        ),
        "Words",
    ),
    ".epub": (epub({"one.xhtml": "<p>Words of a book.</p>"}), "Words"),
    ".fb2": (FB2, "Inner"),
    ".eml": (EML, "plain"),
    ".mbox": (MBOX, "second"),
    ".ipynb": (notebook([cell("markdown", "Words of a cell.")]), "Words"),
    ".rtf": (RTF, "Some text"),
}
