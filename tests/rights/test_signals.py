"""What files say about training: vectors of each specification, pages, headers, hostile input."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke.rights import credentials, rsl, safe_xml, sites
from netsuke.rights.signals import (
    MAX_ALIKE,
    RAW_CHARACTERS,
    TRAINING_CRAWLERS,
    Signal,
    combine,
    content_usage,
    few,
    in_binary,
    in_headers,
    in_html,
)

VECTORS = sorted((Path(__file__).parent / "vectors").glob("*.json"))
VALUES = st.sampled_from(("yes", "no", "unknown"))
SIGNALS = st.lists(VALUES.map(lambda value: Signal("kind", value, "raw", "where")))
RESERVED = '<r xmlns:tdm="http://www.w3.org/ns/tdmrep/"><tdm:reservation>1</tdm:reservation></r>'


def values(signals: list[Signal]) -> list[str]:
    return [signal.value for signal in signals]


def epub(folder: Path, opf: str | bytes, container: str | None = "book.opf") -> Path:
    made = folder / "book.epub"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        if container:
            rootfile = f'<container><rootfiles><rootfile full-path="{container}"/></rootfiles></container>'
            archive.writestr("META-INF/container.xml", rootfile)
        archive.writestr("book.opf", opf)
    return made


def pdf(folder: Path, xmp: str | bytes, *, compressed: bool = False, owner: str = "") -> Path:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(72, 72)
    writer.xmp_metadata = xmp.encode() if isinstance(xmp, str) else xmp
    if compressed:
        stream = writer.root_object["/Metadata"].get_object().flate_encode()
        writer.root_object[pypdf.generic.NameObject("/Metadata")] = writer._add_object(stream)
    if owner:
        writer.encrypt("", owner, algorithm="RC4-128")
    made = folder / "paper.pdf"
    writer.write(made)
    return made


# -- the specifications' own examples --------------------------------------------------------------------
def all_vectors() -> Iterator[Any]:
    for path in VECTORS:
        suite = json.loads(path.read_text("utf-8"))
        for number, vector in enumerate(suite["vectors"], 1):
            yield pytest.param(vector, id=f"{path.stem}-{number}-{vector['section']}")


def heard(vector: dict[str, Any], folder: Path) -> list[Signal]:
    if "html" in vector:
        return in_html("\n".join(vector["html"]))
    if "headers" in vector:
        return in_headers("\r\n".join(vector["headers"]), "page.headers")
    if "opf" in vector:
        return in_binary(epub(folder, "\n".join(vector["opf"])), ".epub")
    if "xmp" in vector:
        return in_binary(pdf(folder, "\n".join(vector["xmp"])), ".pdf")
    if "combine" in vector:
        return [Signal("", value, "", "") for value in vector["combine"]]
    value = credentials.training(vector["entries"], vector.get("valid", True))
    return [Signal("c2pa", value, "", "")]


@pytest.mark.parametrize("vector", [*all_vectors()])
def test_vector(vector, tmp_path):
    if "files" in vector:
        for name, lines in vector["files"].items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines), "utf-8")
        said = sites.around(tmp_path, list(vector["files"]))
        assert {name: combine(said(name)) for name in vector["asked"]} == vector["asked"]
        return
    found = heard(vector, tmp_path)
    assert combine(found) == vector["expected"]
    assert {signal.kind for signal in found} == set(vector.get("kinds", (signal.kind for signal in found)))


def test_each_specification_has_its_vectors_and_each_vector_its_clause():
    assert {path.stem for path in VECTORS} == {
        *("aipref-attach", "aipref-vocab", "rfc9309", "tdmrep", "cawg", "rsl"),
        *("ai-txt", "noai", "content-signals"),
    }
    for path in VECTORS:
        suite = json.loads(path.read_text("utf-8"))
        assert suite["specification"] and suite["source"] and suite["vectors"]
        assert all(vector["section"] for vector in suite["vectors"])


# -- the rule that combines them -------------------------------------------------------------------------
@given(SIGNALS)
def test_any_no_wins_then_any_yes(signals):
    found = values(signals)
    assert combine(signals) == ("no" if "no" in found else "yes" if "yes" in found else "unknown")


@given(SIGNALS, st.randoms())
def test_the_order_does_not_matter(signals, random):
    shuffled = random.sample(signals, len(signals))
    assert combine(shuffled) == combine(signals) == combine(itertools.chain(signals, signals))


@given(
    st.lists(st.builds(Signal, st.sampled_from("ab"), VALUES, st.text(max_size=3), st.just("")), max_size=99)
)
def test_few_signals_say_what_all_of_them_say(signals):
    kept = few(signals)
    assert {(s.kind, s.value) for s in kept} == {(s.kind, s.value) for s in signals}
    assert len(kept) <= 6 * MAX_ALIKE and kept == few(kept)


def test_a_signal_keeps_a_bounded_text_that_can_be_stored():
    signal = Signal("kind", "no", "\ud800" + "x" * 1000, "\udcff")
    assert len(signal.raw) == RAW_CHARACTERS
    assert (signal.raw + signal.where).encode()


# -- pages -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "page",
    [
        "<META NAME=ROBOTS CONTENT=NOAI>",
        "<meta name=robots content=noai/>",
        "<meta\nname='robots'\ncontent = 'index,noai'/>",
        '<meta content="noai" name="robots">',
        '<meta name="robots" content="no&#97;i">',
        '<meta name="googlebot" content="noai">',
        '<meta name="GPTBot" content="noai">',
        '<meta http-equiv="X-Robots-Tag" content="noai">',
        '<meta name="robots" content="noai" content="all">',
        "<title>a < b</title><meta name=robots content=noai>",
        '<!--> <meta name="robots" content="noai">',
        '<p title="it\'s"><meta name=robots content=noai>',
        "<meta name=robots content=all><meta name=robots content=noai>",
        '<meta property="tdm:reservation" content=" 1 ">',
    ],
)
def test_a_page_says_no(page):
    assert combine(in_html(page)) == "no"


@pytest.mark.parametrize(
    "page",
    [
        '<!-- <meta name="robots" content="noai"> -->',
        '<!-- <meta name="robots" content="noai">',
        '<script>document.write(\'<meta name="robots" content="noai">\')</script>',
        '<textarea><meta name="robots" content="noai"></textarea>',
        '<meta name="keywords" content="noai, art">',
        '<meta name="description" content="robots: noai">',
        '<meta name="robots" content="noairplanes">',
        '<meta name="robots" content="noai',
        "<metadata name=robots content=noai>",
        '<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">',
    ],
)
def test_a_page_says_nothing(page):
    assert in_html(page) == []


def test_a_page_tells_the_line_and_the_very_text():
    page = '<html>\n<head>\n  <meta name="tdm-reservation" content="1">\n<meta name="tdm-policy" content="u">'
    assert in_html(page) == [
        Signal("tdmrep", "no", '<meta name="tdm-reservation" content="1">', "line 3"),
        Signal("tdmrep", "unknown", '<meta name="tdm-policy" content="u">', "line 4"),
    ]


def test_a_broken_licence_in_a_page_is_unknown_with_its_text():
    broken = '<rsl xmlns="https://rslstandard.org/rsl"><content>'
    page = f'<script type="application/rsl+xml">{broken}</script><meta name="robots" content="noai">'
    assert in_html(page)[0] == Signal("rsl", "unknown", broken, "line 1")
    assert combine(in_html(page)) == "no"


# -- headers ---------------------------------------------------------------------------------------------
def test_of_several_responses_the_last_one_counts():
    redirected = (
        "HTTP/1.1 301 Moved\r\nContent-Usage: train-ai=n\r\n\r\nHTTP/2 200\r\ncontent-usage: train-ai=y\r\n"
    )
    assert in_headers(redirected, "a.headers") == [
        Signal("content-usage", "yes", "content-usage: train-ai=y", "a.headers, line 5")
    ]


def test_a_field_on_several_lines_is_one():
    assert values(in_headers("Content-Usage: train-ai=n\nContent-Usage: search=y", "")) == ["no"]
    assert values(in_headers("Content-Usage: train-ai=n\nContent-Usage: train-ai=y", "")) == [
        "yes"
    ]  # the last
    assert values(in_headers("Content-Usage: train-ai=n\nContent-Usage: ,", "")) == [
        "unknown"
    ]  # RFC 9651, 4.2


def test_indented_and_folded_headers():
    indented = "  HTTP/1.1 200 OK\n  Content-Type: text/html\n  X-Robots-Tag: noindex,\n   noai\n"
    assert values(in_headers(indented, "")) == ["no"]


def test_the_text_of_a_page_below_its_headers_is_no_header_of_another_kind():
    assert in_headers("HTTP/1.1 200 OK\nServer: noai\nX-Other: train-ai=n\n", "") == []


# -- books and papers ------------------------------------------------------------------------------------
OPF = '<package><metadata><meta property="tdm:reservation">1</meta></metadata></package>'
TYPED = f'<!DOCTYPE package PUBLIC "+//ISBN 0-9673008-1-9//DTD OEB 1.2 Package//EN" "oebpkg12.dtd">{OPF}'


@pytest.mark.parametrize("container", ["book.opf", None, "elsewhere.opf"])
def test_an_epub_whose_container_is_missing_or_wrong(tmp_path, container):
    assert values(in_binary(epub(tmp_path, OPF, container), ".epub")) == ["no"]


def test_an_old_package_may_name_a_document_type(tmp_path):
    assert values(in_binary(epub(tmp_path, TYPED), ".epub")) == ["no"]


def test_a_package_that_cannot_be_read_is_unknown_with_its_text(tmp_path):
    broken = OPF.replace("</metadata>", "")
    [signal] = in_binary(epub(tmp_path, broken), ".epub")
    assert (signal.value, signal.where) == ("unknown", "book.opf")
    assert signal.raw.startswith("tdm:reservation")


def test_a_package_that_unfolds_to_a_gigabyte_is_not_unfolded(tmp_path):
    bomb = tmp_path / "bomb.epub"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("book.opf", "w") as member:
        for _ in range(64):
            member.write(bytes(1 << 20))
    assert in_binary(bomb, ".epub") == []


@pytest.mark.parametrize(
    "how", [{}, {"compressed": True}, {"owner": "secret"}], ids=["plain", "packed", "locked"]
)
def test_a_paper_says_no_in_its_metadata(tmp_path, how):
    assert values(in_binary(pdf(tmp_path, RESERVED, **how), ".pdf")) == ["no"]


def test_a_damaged_paper_still_says_no(tmp_path):
    path = pdf(tmp_path, f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{RESERVED}</x:xmpmeta>')
    path.write_bytes(
        path.read_bytes().partition(b"xref")[0].replace(b"%PDF-", b"%XXX-").replace(b"obj", b"ojb")
    )
    assert values(in_binary(path, ".pdf")) == ["no"]


def test_a_paper_without_metadata_says_nothing(tmp_path):
    writer = pypdf.PdfWriter()
    writer.add_blank_page(72, 72)
    writer.write(tmp_path / "plain.pdf")
    assert in_binary(tmp_path / "plain.pdf", ".pdf") == []


# -- hostile input ---------------------------------------------------------------------------------------
MEGABYTE = 1_000_000
GARBAGE = {
    "brackets": "<" * MEGABYTE,
    "comments": "<!--" * (MEGABYTE // 4),
    "open quotes": '<meta "' * (MEGABYTE // 7),
    "open values": '<meta a="' * (MEGABYTE // 9),
    "scripts": "<script>" * (MEGABYTE // 8),
    "deep": "<div>" * 100_000 + "</div>" * 100_000,
    "spaces": "<meta" + " " * MEGABYTE,
    "attributes": "<meta " + "a=b " * (MEGABYTE // 4) + ">",
    "zeros": "\0" * MEGABYTE,
    "folded": "Content-Usage: a\n" + " b\n" * (MEGABYTE // 3),
    "fields": "Content-Usage: train-ai=n\n" * (MEGABYTE // 26),
    "links": "Link: " + "<a>;rel" * (MEGABYTE // 7),
    "tokens": "X-Robots-Tag: " + "a," * (MEGABYTE // 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GARBAGE)
def test_a_megabyte_of_garbage(name, tmp_path):
    assert combine(in_html(GARBAGE[name])) == "unknown"
    assert combine(in_headers(GARBAGE[name], "")) == ("no" if name == "fields" else "unknown")
    for suffix in (".pdf", ".epub", ".docx", ".odt"):
        path = tmp_path / f"garbage{suffix}"
        path.write_text(GARBAGE[name])
        assert in_binary(path, suffix) == []


def test_a_page_of_a_million_tags_says_it_a_few_times():
    page = "".join(f'<meta name="robots" content="noai {n}">' for n in range(20_000))
    assert len(in_html(page)) == MAX_ALIKE


@given(
    st.text()
    | st.lists(st.sampled_from(["<meta ", "name=robots ", "content=noai", ">", "<!--", '"'])).map("".join)
)
def test_no_page_raises(page):
    assert all(isinstance(signal, Signal) for signal in in_html(page))


FIELDS = st.sampled_from(
    ["Content-Usage: ", "X-Robots-Tag:", "Link: <a>;rel=license;", "tdm-reservation:", "HTTP/1.1 "]
)


@given(st.text() | st.lists(st.tuples(FIELDS, st.text())).map(lambda rows: "\n".join(map("".join, rows))))
def test_no_headers_raise(text):
    assert all(len(signal.raw) <= RAW_CHARACTERS for signal in in_headers(text, "where"))


@given(st.text() | st.text('train-ai=yn;,()"?:@%*1. '))
def test_no_structured_field_raises(field):
    assert content_usage(field) in ("yes", "no", "unknown")


@settings(max_examples=30)
@given(st.binary(), st.sampled_from([".pdf", ".epub", ".docx", ".odt", ".html", ".txt", ".png"]))
def test_no_file_raises(tmp_path_factory, data, suffix):
    path = tmp_path_factory.mktemp("any") / f"a{suffix}"
    path.write_bytes(data)
    assert isinstance(in_binary(path, suffix), list)


def test_a_file_that_is_gone_says_nothing(tmp_path):
    assert in_binary(tmp_path / "gone.pdf", ".pdf") == []


def entities(levels: int) -> bytes:
    lines = ['<!ENTITY a0 "ha">', *(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, levels))]
    return f"<!DOCTYPE a [{''.join(lines)}]><a>&a{levels - 1};</a>".encode()


@pytest.mark.parametrize(
    "document",
    [
        entities(10),
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]><a/>',
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b"<a>",
        b"",
        b"\0" * 100,
        "<a>\ud800</a>".encode("utf-8", "surrogatepass"),
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
    ],
    ids=["laughs", "file", "parameter", "deep", "open", "empty", "zeros", "surrogate", "encoding"],
)
def test_xml_that_is_refused(document):
    with pytest.raises(ValueError):
        safe_xml.parse(document)


def test_an_external_document_type_is_not_opened(tmp_path):
    (tmp_path / "a.dtd").write_text('<!ENTITY x "secret">')
    tree = safe_xml.parse(f'<!DOCTYPE a SYSTEM "{tmp_path / "a.dtd"}"><a>b&x;</a>'.encode())
    assert "".join(tree.itertext()) == "b"


@given(st.binary())
def test_no_xml_raises_anything_else(data):
    try:
        list(rsl.contents(safe_xml.parse(data)))
    except ValueError:
        pass


def test_the_crawlers_whose_purpose_is_training_are_known():
    named = """Google-Extended Applebot-Extended GPTBot CCBot ClaudeBot anthropic-ai Bytespider Diffbot
    Omgilibot cohere-training-data-crawler Meta-ExternalAgent""".lower()
    assert set(named.split()) <= TRAINING_CRAWLERS
    assert (
        not {"googlebot", "bingbot", "*", "oai-searchbot", "perplexitybot", "chatgpt-user"}
        & TRAINING_CRAWLERS
    )


def test_nothing_heavy_is_loaded_before_a_file_is_asked():
    code = "import sys, netsuke.rights.sites; print({'c2pa', 'pypdf', 'kreuzberg'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
