"""Office's and OpenDocument's files: structure kept, nothing of the text lost, values as they are shown."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable
from typing import BinaryIO

import pytest
from made_documents import RTF, docx, opendocument, paragraph, pptx, shape, xlsx, zipped

from netsuke.readers import legacy, sheets, slides, word
from netsuke.readers import opendocument as odf
from netsuke.readers.numbers import shown_as
from netsuke.readers.pages import Found


def found(read: Callable[[BinaryIO, str], Found], data: bytes, suffix: str = "") -> Found:
    return read(io.BytesIO(data), suffix)


def in_word(body: str) -> str:
    return found(word.read, docx(body)).text


def style(name: str) -> str:
    return f'<w:pStyle w:val="{name}"/>'


def table(*rows: str) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


RAISED = '<w:vertAlign w:val="superscript"/>'
SECOND_LEVEL = '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr>'


def in_cell(inner: str) -> str:
    return f"<w:tc>{inner}</w:tc>"


# -- DOCX ------------------------------------------------------------------------------------------------
def test_a_letter() -> None:
    body = (
        paragraph("Title", style("H2")) + paragraph("Chapter", style("Own")) + paragraph("x &lt; y &amp;&amp; z")
        + paragraph("one", style("Bullets")) + paragraph("two", SECOND_LEVEL)
        + table(in_cell(paragraph("a")) + in_cell(paragraph("b") + paragraph("c")), in_cell(paragraph("d")))
        + paragraph("def f():", style("Source")) + paragraph("    pass", style("Source")) + paragraph("end")
    )  # fmt: skip
    made = found(word.read, docx(body, "A letter"))
    assert made.title == "A letter" and made.pages == []
    assert made.text.split("\n\n") == [
        "## Title", "## Chapter", "x < y && z", "- one\n  - two", "a | b c\nd",
        "```\ndef f():\n    pass\n```", "end"]  # fmt: skip


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r>", "a\tb\nc"),
        ('<w:r><w:t>a</w:t><w:br w:type="page"/><w:t>b</w:t></w:r>', "ab"),
        (
            "<w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>",
            "new",
        ),
        (
            "<w:r><w:instrText>PAGE</w:instrText></w:r><w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink>",
            "link",
        ),
        ("<w:sdt><w:sdtContent><w:r><w:t>kept</w:t></w:r></w:sdtContent></w:sdt>", "kept"),
        ("<m:oMath><m:r><m:t>E=mc</m:t></m:r></m:oMath>", "E=mc"),
        ("<w:r><w:t>שלום</w:t></w:r><w:r><w:t> 👩‍👩‍👧</w:t></w:r>", "שלום 👩‍👩‍👧"),
        (
            "<mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent>"
            "</mc:Choice><mc:Fallback><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent></mc:Fallback>"
            "</mc:AlternateContent><w:r><w:t>text</w:t></w:r>",
            "text\n\nbox",
        ),
        (run("2") + run("1", RAISED) + run("0", RAISED) + run(" m") + run("2", RAISED), "2^10 m^2"),
        (run("the 1") + run("st", RAISED) + run("x", '<w:vertAlign w:val="subscript"/>'), "the 1stx"),
        (run("a") + f'<w:hyperlink>{run("1", RAISED)}</w:hyperlink><w:hyperlink>{run("b")}</w:hyperlink>', "ab"),
        ("<m:oMath><m:sSup><m:e><m:r><m:t>c</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath>",
         "c^2"),
        (run("seen ") + run("unseen", "<w:vanish/>") + run("too", '<w:vanish w:val="0"/>'), "seen too"),
    ],
)
def test_runs_of_a_paragraph(inner: str, text: str) -> None:
    assert in_word(f"<w:p>{inner}</w:p>") == text


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ('<w:outlineLvl w:val="0"/>', "# x"),
        (style("H2") + '<w:outlineLvl w:val="9"/>', "x"),
        (style("Bullets") + '<w:numPr><w:numId w:val="0"/></w:numPr>', "x"),
        (style("Loop"), "x"),
        (style("Unknown"), "x"),
    ],
)
def test_what_a_paragraph_says_against_its_style(properties: str, text: str) -> None:
    assert in_word(paragraph("x", properties)) == text


def test_notes_and_inner_tables() -> None:
    notes = (
        '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:footnote w:type="separator" w:id="0"><w:p/></w:footnote>'
        f'<w:footnote w:id="1">{paragraph("the note")}</w:footnote></w:footnotes>'
    )
    body = '<w:p><w:r><w:t>word</w:t><w:footnoteReference w:id="1"/></w:r></w:p>'
    body += table(in_cell(paragraph("a") + table(in_cell(paragraph("b")))) + in_cell(paragraph("c")))
    made = found(word.read, docx(body, more={"word/footnotes.xml": notes}))
    assert made.text == "word[^1]\n\na b | c\n\n[^1]: the note"


def test_a_page_that_is_laid_out_in_a_table() -> None:
    long = "A paragraph that is as long as they are. " * 8
    items = paragraph("one", style("Bullets")) + paragraph("two", style("Bullets"))
    body = table(
        in_cell(paragraph("2019")) + in_cell(paragraph("Baker") + items),
        in_cell(paragraph(long) + paragraph("short")),
        in_cell(paragraph("a", style("H2"))) + in_cell(paragraph("b", style("Bullets"))),
    )
    assert in_word(body).split("\n\n") == ["2019", "Baker", "- one\n- two", long.strip(), "short", "a | b"]


def test_a_text_box_in_a_cell_is_read_once() -> None:
    box = f"<w:txbxContent>{paragraph('box')}</w:txbxContent>"
    both = f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
    cell = f"<w:p><mc:AlternateContent>{both}</mc:AlternateContent><w:r><w:t>a</w:t></w:r></w:p>"
    assert in_word(table(in_cell(cell) + in_cell(paragraph("b")))) == "a box | b"


def test_a_table_of_contents_is_left_out() -> None:
    assert in_word(paragraph("Chapter\t7", style("TOC1")) + paragraph("Chapter", style("H2"))) == "## Chapter"


def test_the_strict_edition_reads_the_same() -> None:
    data = zipped({
        "word/document.xml": '<d xmlns="http://purl.oclc.org/ooxml/wordprocessingml/main"><body><p><r><t>x</t></r></p>'
        "</body></d>"
    })  # fmt: skip
    assert found(word.read, data).text == "x"


# -- PPTX ------------------------------------------------------------------------------------------------
def test_slides_in_their_order_with_tables_and_notes() -> None:
    grid = (
        "<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>a</a:t></a:r></a:p></a:txBody></a:tc>"
        "<a:tc><a:txBody><a:p><a:r><a:t>b</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>"
    )
    body = '<p:ph idx="1"/>'
    first = (
        shape("x &lt; y", body) + shape("deeper", body, level=1) + shape("none", body, bullet="<a:buNone/>")
        + shape("First", '<p:ph type="title"/>') + shape("2026", '<p:ph type="dt"/>')
    )  # fmt: skip
    second = f"<p:grpSp>{shape('free')}</p:grpSp>{grid}{shape('point', bullet='<a:buChar/>')}"
    made = found(slides.read, pptx(first, second, "", notes=shape("say this", body), title="A deck"))
    assert made.title == "A deck" and made.pages == [(1, "slide 1"), (11, "slide 2")]
    assert made.text.split("\n\n") == [
        "# First", "- x < y\n  - deeper", "none", "Notes:\nsay this", "free", "a | b", "- point"]  # fmt: skip


# -- XLSX ------------------------------------------------------------------------------------------------
def test_sheets_with_names_and_values_as_shown() -> None:
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="&quot;$&quot;#,##0.00"/></numFmts><cellXfs><xf/>'
        '<xf numFmtId="14"/><xf numFmtId="9"/><xf numFmtId="164"/></cellXfs>'
    )
    strings = "<si><t>Item</t></si><si><r><t>Te</t></r><r><t>a &lt; b</t></r><rPh><t>kana</t></rPh></si>"
    rows = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>a\nb</t></is></c></row><row r="2"/>'
        '<row r="3"><c r="A3" t="s"><v>1</v></c><c r="B3" s="1"><v>45351.5</v></c><c r="C3" s="2"><v>0.125</v></c>'
        '<c r="D3" s="3"><v>-1234.5</v></c><c r="E3" t="b"><v>1</v></c><c r="F3" t="str"><f>A1</f><v>f</v></c>'
        '<c r="G3" t="e"><v>#DIV/0!</v></c><c r="H3"><v>3.5000000000000004</v></c><c r="XFD3"><v>9</v></c></row>'
        '<row r="4"><c r="A4" t="s"><v>99</v></c><c r="B4" s="1"><v>no</v></c><c r="C4" s="77"><v>1</v></c></row>'
    )
    data = xlsx({"Prices &amp; more": rows, "Empty": "", "Two": '<row><c><v>1</v></c><c><v>2</v></c></row>'},
                strings, styles, title="A book")  # fmt: skip
    made = found(sheets.read, data)
    assert made.title == "A book" and made.pages == [(1, "sheet Prices & more"), (7, "sheet Two")]
    lines = made.text.split("\n")
    assert lines[:3] == ["# Prices & more", "", "Item |  | a b"]
    assert lines[3].startswith("Tea < b | 2024-02-29 | 13% | -$1,234.50 | TRUE | f | #DIV/0! | 3.5 |  | ")
    assert lines[3].endswith(" | 9") and lines[3].count("|") == 108
    assert lines[4:] == [" | no | 1", "", "# Two", "", "1 | 2"]


def test_days_may_count_from_1904() -> None:
    row = '<row><c s="0"><v>1</v></c></row>'
    styles = '<cellXfs><xf numFmtId="14"/></cellXfs>'
    assert "1904-01-02" in found(sheets.read, xlsx({"A": row}, "", styles, '<workbookPr date1904="1"/>')).text
    assert "1900-01-01" in found(sheets.read, xlsx({"A": row}, "", styles)).text


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("General", "12", "12"),
        ("General", "1.2345678901234567E+19", "12345678901234567168"),
        ("0.00", "3.5", "3.50"),
        ("0.0", "2.25", "2.3"),
        ("0.##", "3.75", "3.75"),
        ("0.##", "3", "3"),
        ("#,##0.##", "1234.5", "1,234.5"),
        ("#,##0.##", "1000", "1,000"),
        ("0.0#", "2.25", "2.25"),
        ("0.0#", "2", "2.0"),
        ("#.##", "3.75", "3.75"),
        ("#", "3", "3"),
        ("0.#%", "0.125", "12.5%"),
        ("000", "7", "007"),
        ("#,##0", "1234567", "1,234,567"),
        ("0%", "0.125", "13%"),
        ("0.00;[Red]-0.00", "-2", "-2.00"),
        ("[$€-407] #,##0.00", "12.5", "€ 12.50"),
        ('#,##0.00\\ "€"', "12.5", "12.50 €"),
        ("_-* #,##0.00\\ _€_-", "1234.5", "1,234.50"),
        ("0.0E+00", "1234", "1234"),
        ("# ?/?", "0.5", "0.5"),
        ("000\\-00\\-0000", "123456789", "123-45-6789"),
        ("000\\-00\\-0000", "1234567", "001-23-4567"),
        ("00000\\-0000", "12345678", "01234-5678"),
        ("(000) 000\\-0000", "2025550123", "(202) 555-0123"),
        ("[<=9999999]###\\-####;\\(###\\)\\ ###\\-####", "2025550123", "(202) 555-0123"),
        ("[<=9999999]###\\-####;\\(###\\)\\ ###\\-####", "5550123", "555-0123"),
        ('"No. 0"00"/"00_)', "-12345", "-No. 0123/45"),
        ("#\\ ##0", "12", "12"),
        ("#\\ ##0", "1234567.5", "1234 568"),
        ("00-00", "0", "00-00"),
        ("# #/#", "0.5", "0.5"),
        ("@", "007", "007"),
        ("dd/mm/yyyy hh:mm", "45351.545138888891", "2024-02-29 13:05"),
        ("h:mm:ss AM/PM", "0.75001", "18:00:01"),
        ("[h]:mm:ss", "1.5", "36:00:00"),
        ("mmm-yy", "45351", "2024-02-29"),
        ("yyyy-mm-dd", "59", "1900-02-28"),
        ("yyyy-mm-dd", "61", "1900-03-01"),
        ("yyyy-mm-dd", "-1", "-1"),
        ("yyyy-mm-dd", "1E+300", "1E+300"),
    ],
)
def test_number_formats(code: str, value: str, shown: str) -> None:
    assert shown_as(code)(value, False) == shown


# -- OpenDocument ----------------------------------------------------------------------------------------
def test_an_opendocument_text() -> None:
    body = (
        '<text:h text:outline-level="2">Head</text:h><text:p>two<text:s text:c="3"/>spaces<text:line-break/>x &lt; y'
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>the note</text:p>"
        "</text:note-body></text:note>.<office:annotation><text:p>margin</text:p></office:annotation></text:p>"
        "<text:list><text:list-item><text:p>outer</text:p><text:list><text:list-item><text:p>inner</text:p>"
        "</text:list-item></text:list></text:list-item></text:list><text:tracked-changes><text:p>old</text:p>"
        "</text:tracked-changes><table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
        "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>"
        '<text:p text:style-name="P1">if x:</text:p><text:p text:style-name="P1"><text:s text:c="4"/>y</text:p>'
    )
    styles = '<style:style style:name="P1" style:parent-style-name="Preformatted_20_Text"/>'
    made = found(odf.read_text, opendocument("text", body, "A title", styles))
    assert made.title == "A title"
    assert made.text.split("\n\n") == [
        "## Head", "two   spaces\nx < y[^1].", "- outer\n  - inner", "a | b",
        "```\nif x:\n    y\n```", "[^1]: the note"]  # fmt: skip


def test_an_opendocument_page_that_is_laid_out_in_a_table() -> None:
    def cells(*inner: str) -> str:
        made = "".join(f"<table:table-cell>{cell}</table:table-cell>" for cell in inner)
        return f"<table:table-row>{made}</table:table-row>"

    long = "<text:p>" + "A paragraph that is as long as they are. " * 8 + "</text:p>"
    items = "<text:list><text:list-item><text:p>one</text:p></text:list-item></text:list>"
    inner = f"<table:table>{cells('<text:p>x</text:p>')}</table:table>"
    inner += "<office:annotation><text:p>no</text:p></office:annotation>"
    rows = [cells("<text:p>2019</text:p>", f"<text:h>Baker</text:h>{items}"), cells(long + "<text:p>short</text:p>"),
            cells("<text:h>a</text:h>", f"<text:p>b</text:p>{inner}")]  # fmt: skip
    made = found(odf.read_text, opendocument("text", f"<table:table>{''.join(rows)}</table:table>")).text
    assert made.split("\n\n") == ["2019", "# Baker", "- one", ("A paragraph that is as long as they are. " * 8).strip(),
                                  "short", "a | b x"]  # fmt: skip


def test_an_opendocument_sheet_repeats_what_is_repeated() -> None:
    body = (
        '<table:table table:name="One"><table:table-row table:number-rows-repeated="2"><table:table-cell '
        'table:number-columns-repeated="2"><text:p>a</text:p></table:table-cell><table:table-cell '
        'table:number-columns-repeated="16000"/></table:table-row><table:table-row '
        'table:number-rows-repeated="1048570"><table:table-cell/></table:table-row></table:table>'
    )
    made = found(odf.read_sheets, opendocument("spreadsheet", body))
    assert made.text == "# One\n\na | a\na | a" and made.pages == [(1, "sheet One")]


def test_opendocument_slides() -> None:
    frame = '<draw:frame presentation:class="{}"><draw:text-box>{}</draw:text-box></draw:frame>'
    page = frame.format("title", "<text:p>Title</text:p>") + frame.format(
        "outline", "<text:list><text:list-item><text:p>point</text:p></text:list-item></text:list>"
    )
    notes = f"<presentation:notes>{frame.format('notes', '<text:p>say this</text:p>')}</presentation:notes>"
    made = found(
        odf.read_slides, opendocument("presentation", f"<draw:page>{page}{notes}</draw:page><draw:page/>")
    )
    assert made.text == "# Title\n\n- point\n\nNotes:\nsay this" and made.pages == [(1, "slide 1")]


# -- older formats ---------------------------------------------------------------------------------------
XLS = zlib.decompress(
    base64.b85decode(
        b"c-rk)O-vI(6#i!0r9VR1LNS5~X-GsxJQyxqV3kBUf#?N7OtjEF80ywkFM3cEdNeWdr13(+#S7|1C3?`CCL|a=n2?yXdh}$X("
        b"F1gS^L7^s_COPD#LTyuZ(iTb+j%qd=5=@9F2@UVkK2maf_?;0aw4cJ(+MgO|Azr;cN{7Db(o5yu%i$O(?-_mc;2uSl6xrky9"
        b"f=Bg0F~yPgKs}B8IcJm8>BK*oTymKJ<wo#h!-yRAOjlznYjQnVXp(a^DxsM_F@=xsUo5#5k7C;jUgUj>ohPZi^8MJY|~|)*L"
        b"|#UduSXep|SGbsWo`Pi6kihW21R=0Q6*XxUaSl_?-WTR4yJP7?U$pVgO1rLV1Cfb>5%>q8avceEfd4d<MYftbfGya~vb08VD"
        b"odCInjb$7o9R<VZzR2H(aQx_~ctCy_FteuX^#LNfT*mRH^IK1nL(`aNl&h`eS>eUBd-wjQSm}glt&B@zM@%yAtaBxFfka29i"
        b"#T~ti`4IC>zUy9=+n5s+npAg=w0Oda8SXR7t(`PZ597VLzf3+ra{kMyXYKjV=0TDd28&k{3m?ombkHKC$zEPF=oa1L-d%}B)"
        b"31e>3_dcq{+1ZRn&J8Gc>iOKSVNS>IP*0v$}^1P2TikIYr+$0NNHpPwOeDcgV$J8Tw^&SUR6|DRRskF1qB5K1%(<ycn|df_q"
        b"77L_gEY9zU!<}DXGsS|1C}<OV?$3Ej<pK>Kv|A6+gS73;$kXn>POULWxltJ%=ewupd)Z$1lB>i1PVt+tB!PN2uEIOV#-Km&g"
        b"AFr~>F<"
    )
)

MSG = zlib.decompress(
    base64.b85decode(
        b"c-rmVi&9fZ9LMorL`6|6c%h1I#j4axi=?QiwN$*&s;#y4UOU5xM5R*+LU7c#@e%qY?IW}gQq$jV7AG>J>`^*{neXS!FS{q3@"
        b"Sk&XE}S7GfBo6@_wzq`{?P)%YSWAQTCHxnujJgEpXrpx>-Er`Z+~^_c&`Wm00000000000000000000EPEsB)vV?;uHRJAUD"
        b"a46000000JPxs|CA>H00000(8}(_>;F@#=!yFeHLc&>?^jhby3gtX00000pe0<@17Gj=YTQ@+6ME`iRrh>5shaw=K^-x}zUP"
        b"tVJXZ6gC*plieBVhYJg3ij#>xZ$0002sJ+)Iq@jD>9U(T!Z)%l+F&GP^N0001B`PqB<>?msi00000fYvsnil*a#`-k`YPisQ"
        b"=SSbJi0002AsGVvb3h(3J!m0oO0001><@~H_{8YbQozs-t89goZ{BEr()ss@@b6)td^ZhYTQ}LSzDw@=U=N`K^qgl^YJyKS`"
        b"2Hx<q_Nf%>uX2CITP%O5KdU*7`?jY0sot0qrZ1gxY+vVqR>b;k?$?`^Yf+s!^#`--uPji1O?Lgm+4bjTFM3A(K@G*WtkFg5u"
        b"P(6s+p_APaepMcetUuXz1j6gv+J)ZP=8-W{c_p@a_g@xP=8=S{b}#-Ro_<PyO1W`&SoD622%Zw0`-qAsDH;*Yreg!2d}9+rr"
        b"k~JqcJs{Ovj&K-4Y&u8ryz3d;eQsVEIpFy#9^)`TO670`<T9A71|=$Dhkh^_N1?`b+Iy>X*`aGn~J|IV7A%!?CnIou|Wo9rm"
        b"rTZHH|vyv`pu8`F4~+fB}9HU4(6RgKRA`Y?@eciZFaa6WQAc0N)39HBVA%k8JmZfB3P*XeUUOXK_FHYOc(K6k!w`kg~*yzDm"
        b"Y9fQtc=ZJIE8A{{F-JWp1iu<bcwKME|lg3Bfo_5YSXPt9S*xJ8M<LBL8a4tIEJ3ly=oFCKpPw{ss>59T<DNEO!>&}fde#`AI"
        b"&h0e+Z+&_B4-rn61p"
    )
)


def test_older_formats() -> None:
    rich = found(legacy.read, RTF, ".rtf")
    assert rich.text == "Some text, café." and rich.title == "Rich"
    old = found(legacy.read_sheets, XLS, ".xls")
    assert old.text == "# Old\n\nname | 1.25\n\n# B\n\nsecond"
    assert old.pages == [(1, "sheet Old"), (5, "sheet B")]
    mail = found(legacy.read_mail, MSG, ".msg")
    assert mail.title == "A subject"
    assert mail.text == (
        'Subject: A subject\nFrom: "Ann" <ann@example.org>\n\nThe body of it.\n\n> quoted\nx < y & z\n\n'
        "[attached: report.pdf]"
    )
