"""HTML to text: structure kept, menus out, and no page that stops the reader."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_documents import HTML

from netsuke.readers import html
from netsuke.readers.html import html_text
from netsuke.readers.pages import Refused


def text(source: str) -> str:
    return html_text(source)[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_page(encoding: str) -> None:
    found = html.read(io.BytesIO(HTML.encode(encoding)), ".html")
    assert found.title == "A page" and found.markup == HTML and found.pages == []
    assert found.text.split("\n\n") == [
        "# Head & shoulders", "Some bold and slanted café.\nA line.", "Quoted.", "- one\n- two", "a | b",
        "```\ndef f():\n    return 1\n```"]  # fmt: skip


def test_it_says_its_encoding() -> None:
    page = '<meta charset="windows-1251"><p>привет, как дела</p>'.encode("cp1251")
    assert html.read(io.BytesIO(page), ".html").text == "привет, как дела"
    page = '<?xml version="1.0" encoding="windows-1251"?>\n<html><p>привет, как дела</p></html>'.encode(
        "cp1251"
    )
    assert html.read(io.BytesIO(page), ".html").text == "привет, как дела"
    page = b"<meta charset=iso-8859-1><p>It\x92s the shop\x92s best \x93honey\x94 \x96 5 \x80 a jar."
    assert html.read(io.BytesIO(page), ".html").text == "It’s the shop’s best “honey” – 5 € a jar."
    with pytest.raises(Refused, match="NUL"):
        html.read(io.BytesIO(b"\0 text"), ".html")


def test_a_text_without_a_tag_keeps_its_lines() -> None:
    found = html.read(io.BytesIO(b"# Title\n\na < b\n  c"), ".html")
    assert (found.text, found.markup) == ("# Title\n\na < b\n  c", None)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<h2>One<h3><div>Two</div></h3>three", "## One\n\n### Two\n\nthree"),
        ("<h1>A<p>text", "# A\n\ntext"),
        ('<h1>Title<a class="headerlink" href="#t">¶</a></h1>', "# Title"),
        ("<h2><img src=x></h2><p>text", "text"),
        ("<ul><li>a<ul><li>b</ul><li><p>c</p><p>more</p></ul>d", "- a\n  - b\n- c\n\nmore\n\nd"),
        ("<li>bare", "- bare"),
        ('<pre class="language-c++">\na &lt;\tb<br>c</pre>', "```c++\na <\tb\nc\n```"),
        (
            '<div class="highlight-python3"><pre><span>x</span>\n</pre></div><pre>y</pre>',
            "```python3\nx\n```\n\n```\ny\n```",
        ),
        ("<pre>```\nx\n```</pre>", "````\n```\nx\n```\n````"),
        ("<p>a <code>b_c</code>  d\n\te</p>", "a b_c d e"),
        ("<dl><dt>term<dd>meaning</dl>", "term\n\nmeaning"),
        ("a<!-- <p>b -->c<!---->d<![if !IE]>e<![endif]>f<!doctype x>", "acdef"),
        ("<![CDATA[a < b]]>", "a < b"),
        ("<p>&#x1F98A; &eacute; &nosuch; שלום &lt;b&gt;", "🦊 é &nosuch; שלום <b>"),
        ("<title>t</title>a<title>b</title>c", "abc"),
        ("a<script>if (a<b) '</p>'</script>b<textarea>c</textarea>d", "abd"),
        ("<script>var s='<!--';</script><p>a</p><!-- c --><p>b</p>", "a\n\nb"),
        (
            "<style>/*<![*/</style >a<!-- <script> -->b<SCRIPT>'--><!--'</SCRIPT>c<script src='x'/>d<!-- e -->f",
            "abcdf",
        ),
        ("<p>a<ruby>漢<rt>kan</ruby>字 b</p><p>c</p>", "a漢字 b\n\nc"),
        ("<ruby>漢<rp>(<rt>kan</rt><rp>)</rp>字<rt>ji<rp>)</ruby> b", "漢字 b"),
        ("<div hidden>a</div><div role=navigation>b</div><p>c", "c"),
        ('<body class="lang-en"><p>a</p><pre>b</pre><div class="language-py"><p>c</p></div><pre>d</pre>',
         "a\n\n```\nb\n```\n\nc\n\n```\nd\n```"),
        ('<div class="highlight-sh"><div class="highlight"><pre>x</pre></div></div>', "```sh\nx\n```"),
    ],
)
def test_structure(source: str, shown: str) -> None:
    assert text(source) == shown


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ('<code><div class="token-line">a</div><div class="token-line">  b<br></div><div>c</div></code>', "a\n  b\nc"),
        ("<ol><li>a</li><li>b\n</li><li>c</ol>", "a\nb\nc"),
        ("<code><p>a<p>b</code>", "a\nb"),
        ('<span class="lineno"> 1 </span>a\n<span class="lineno"> 2 </span>b', "a\nb"),
        ("2<sup>10</sup>", "2^10"),
    ],
)
def test_lines_of_code(source: str, code: str) -> None:
    assert text(f"<p>Try:</p><pre>{source}</pre><p>End.</p>") == f"Try:\n\n```\n{code}\n```\n\nEnd."


def test_numbers_of_lines_are_no_code() -> None:
    for cell, inner in (("linenos", "div class=linenodiv"), ("gutter", "div class=lineno"), ("'x linenos'", "b")):
        numbers = f"<td class={cell}><{inner}><pre>1\n2</pre></{inner.split()[0]}></td>"
        table = f"<table><tr>{numbers}<td class=code><div><pre>a\nb</pre></div></td></tr></table>"
        assert text(f"<div class=language-py>{table}</div>") == "```py\na\nb\n```"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("2<sup>10</sup> and 10<sup>\u22123</sup> m<sup>2</sup>, Ca<sup>2+</sup>", "2^10 and 10^\u22123 m^2, Ca^2+"),
        ("the 1<sup>st</sup>, 1<sup>er</sup>, (<sup>2</sup>", "the 1st, 1er, (2"),
        ('so<sup><a href="#n1">1</a></sup>, it<sup id=c class=reference>[<a href="#c"><i>2</i></a>]</sup>.', "so, it."),
        ('a<a epub:type="noteref" href="#n"><sup>1</sup></a> b<sup class="footnote-ref">2</sup> c', "a b c"),
        ('<a href="/x">an area in m<sup>2</sup></a> of 3<sup>4</sup>', "an area in m^2 of 3^4"),
        ("x<sup>a</sup><sup></sup><sup>y<sup>2</sup></sup>", "xay^2"),
        ("<p>a<sup>1<p>2</sup>3", "a1\n\n23"),
    ],
)
def test_what_is_raised(source: str, shown: str) -> None:
    assert text(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<p hidden>a<p>b", "b"),
        ("a<span style='color: red; DISPLAY:none'>b<span>c</span>d</span>e", "ae"),
        ("<ul><li hidden>a<ul><li>b</ul><li>c</ul>", "- c"),
        ("<table><tr hidden><td>a<tr><td hidden>b<td>c<td>d</table>", "c | d"),
        ("<div hidden><article>a</article></div>b<br style='display:none'>c<img hidden><h2 hidden>d</h2> e", "bc\n\ne"),
        ("<p style='text-display: none'>a</p><p aria-hidden=true>b</p><p hidden=until-found>c</p>", "a\n\nb\n\nc"),
        ("<details><summary>a</summary>b</details>", "a\n\nb"),
        ("<body style='display: none'><nav>a</nav><p>b</p><h2 hidden>c</h2>d", "b\n\n## c\n\nd"),
        ("<nav>a</nav><div id=app hidden>b</div>", "b"),
        ("<nav>a<b hidden>b</b></nav>", "ab"),
    ],
)
def test_what_is_hidden_is_left_out_unless_all_is(source: str, shown: str) -> None:
    assert text(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<tr><td>a<th>b<tr><td><p>c</p><td>d<br>e", "a | b\nc | d e"),
        ("<tr><td>a<td><td>b<td>", "a |  | b"),
        ("<caption>Prices<tr><td>a", "Prices\n\na"),
        ("<tr><td>one<h1>Title</h1><p>text<td>two", "one\n\n# Title\n\ntext\n\ntwo"),
        (
            "<tr><td>menu<td><table><tr><td>x<td>y</table><p>after<tr><td>p<td>q",
            "menu\n\nx | y\n\nafter\n\np | q",
        ),
        (f"<tr><td><p>{'a ' * 160}</p><p>b", f"{('a ' * 160).strip()}\n\nb"),
    ],
)
def test_tables_are_rows_unless_they_are_the_page(source: str, shown: str) -> None:
    assert text(f"<table>{source}</table>") == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<nav><p>Menu<main><p>The text.</main>", "The text."),
        ("<div><nav>menu</div><p>text", "text"),
        ("<p>a<nav></p>x</nav>b", "a\n\nb"),
        ("<aside>x<aside>y</aside>z</aside><footer>w</footer>text", "text"),
        ("<footer>Only this</footer>", "Only this"),
        ("<main>a<aside>b</aside><nav>c</nav></main><aside>d</aside><footer>e</footer>", "a\n\nb"),
        ("<article>a<footer>b</footer></article><blockquote>c<footer>Ann</footer></blockquote>", "a\n\nb\n\nc\n\nAnn"),
        ("<p>a</p><button>b<p>c</p><p>d</p>", "a\n\nb\n\nc\n\nd"),
        ("<body><div><button>x</button><object data=y><p>a</p></div><nav>z</nav><p>b</p></body>", "a\n\nb"),
        ("<button>a<button>b</button>c", "ac"),
        ("<p>a<ruby>漢<rt>kan</p><p>b", "a漢kan\n\nb"),
        ("<p>a</p><script>b<p>c</p>", "a"),
        ("<p>One</select> two<svg/> three", "One two three"),
    ],
)
def test_menus_are_left_out_and_swallow_nothing(source: str, shown: str) -> None:
    assert text(source) == shown


def test_what_is_left_out_can_be_heard_apart() -> None:
    page = (
        '<link rel="license" href="a"><link rel=license type=application/rsl+xml href=b><nav>Home</nav><p>The text.</p>'
        '<figure><a rel=license href=c>x</a></figure><div role=contentinfo><p>One</p><script>s</script></div>'
        '<footer hidden>no</footer><footer>Two <a rel="license nofollow" href=" d ">three</a></footer>after'
    )
    assert html.beside(page) == ("Home\n\nOne\n\nTwo three", ["a", "d"])
    assert html.beside("<p>The text.") == ("", []) and html.beside("<nav>a<aside>b</aside>c") == ("a\n\nb\n\nc", [])


def test_a_hundred_thousand_nested_tags() -> None:
    assert text("<div>" * 100_000 + "x" + "</div>" * 100_000) == "x"
    assert html.beside("<nav>" * 100_000 + "x" + "</nav>" * 100_000) == ("x", [])


@pytest.mark.parametrize("tag", ["ul><li", "table><tr><td", "nav", "b", "blockquote", "h1", "pre"])
def test_what_is_nested_deep_grows_no_faster_than_its_source(tag: str) -> None:
    found = text(f"<{tag}>x" * 10_000)
    assert len(found) < 25 * 10_000 and "x" in found


_OPENED = ["<script>", "<style><!--", "<script", "</script>", "<button>", "<ruby><rt>", "<object></p>",
           "<p hidden>", "<span hidden>", "<sup>1", "<a href=x><sup>", "<sup><a href=x>1</a></sup>"]  # fmt: skip


_CUT = ["<!--", "<![", "<a ", "<a b='", "</", "<?", "<!", "&", "<"]


@pytest.mark.parametrize(("piece", "end"), [*((piece, end) for piece in _CUT for end in ("", ">")),
                                            *((piece, "") for piece in _OPENED)])  # fmt: skip
def test_what_never_ends_takes_no_square_of_its_length(piece: str, end: str) -> None:
    text(piece * 50_000 + end)  # the square would take minutes, and the test would time out


@given(st.text(alphabet="<>/!-&;= \n\"'[]?apnavliscrtxe1", max_size=200))
def test_no_html_makes_it_raise(source: str) -> None:
    assert "\n\n\n" not in text(source.replace("pre", ""))
