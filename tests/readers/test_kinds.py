"""What kind a file is, whatever its name says; archives and bombs are refused before they are opened."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_documents import EML, HTML, SAMPLES, compound, docx, paragraph, zipped

from netsuke.curate.worker import READERS
from netsuke.readers import package, sheets, word
from netsuke.readers.kinds import ARCHIVES, NOT_TEXT, PARSED, TEXT, kind_of
from netsuke.readers.package import Package
from netsuke.readers.pages import Refused

BY_NAME = (
    ".html",
    ".fb2",
    ".eml",
    ".mbox",
    ".ipynb",
)  # text outside: the name counts, where it says something


def kind(data: bytes, suffix: str) -> str | None:
    return kind_of(io.BytesIO(data), suffix)


def refusal(data: bytes, suffix: str) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        kind(data, suffix)
    return caught.value.rule, caught.value.detail


def test_the_tables_of_suffixes_agree() -> None:
    assert set(READERS) == set(PARSED.values())
    assert all(PARSED[kind] == kind for kind in READERS)
    for one, other in [
        (TEXT, PARSED),
        (TEXT, ARCHIVES),
        (TEXT, NOT_TEXT),
        (ARCHIVES, PARSED),
        (NOT_TEXT, PARSED),
    ]:
        assert not set(one) & set(other)


@pytest.mark.parametrize("real", sorted(set(SAMPLES) - set(BY_NAME)))
@pytest.mark.parametrize("suffix", ["", ".txt", ".py", ".xyz", *sorted(READERS)])
def test_a_signature_says_more_than_a_name(real: str, suffix: str) -> None:
    assert kind(SAMPLES[real][0], suffix) == real


@pytest.mark.parametrize(
    ("data", "suffix", "found"),
    [
        (HTML.encode(), "", ".html"),
        (b"<!-- saved -->\n<HTML>", ".xls", ".html"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><!DOCTYPE html>', ".weird", ".html"),
        (HTML.encode(), ".md", None),
        (EML, "", ".eml"),
        (EML, ".host:2,s", ".eml"),  # as maildirs name them
        (EML, ".mbox", ".eml"),
        (b"From a@b Thu Jan  1 00:00:00 2026\nSubject: s\n", "", ".mbox"),
        (b"From a@b Thu Jan  1 00:00:00 2026\nSubject: s\n", ".eml", ".mbox"),
        (b"From here at 10:00 on we walk.\nNo header", "", None),
        (b"to: do\nsubject: to change\n\n", "", None),
        (b"From: a\n  folded\nnot a header\n\n", "", None),
        (b"A: " + b"x" * 20_000, "", None),
        (b"no zip", ".docx", None),
        (b"a\tb\n", ".xls", None),  # as many programs name their tables of text
        (b"", ".pdf", None),
        (b"no mail", ".eml", ".eml"),
        (b"digraph { a -> b }", ".dot", None),
        (b"", "", None),
        (b"junk %PDF-1.4", ".txt", None),
        (b"BZh is no archive", ".txt", None),
        (b"PK, a short text", "", None),
        (compound("WordDocument"), "", ".doc"),
        (compound("Workbook", "WordDocument"), ".xls", ".xls"),
        (compound("__properties_version1.0", "WordDocument"), ".msg", ".msg"),
        (compound("PowerPoint Document"), ".doc", ".ppt"),
    ],
)
def test_kinds(data: bytes, suffix: str, found: str | None) -> None:
    assert kind(data, suffix) == found


@pytest.mark.parametrize(
    ("data", "suffix", "rule"),
    [
        (zipped({"a.txt": "text"}), ".zip", "archive"),
        (zipped({"a.txt": "text"}), "", "archive"),
        (zipped({"a.docx": docx(paragraph("x"))}), ".docx", "archive"),
        (zipped({}), ".txt", "archive"),
        (b"PK\x03\x04 cut off", "", "archive"),
        (b"PK\x03\x04 cut off", ".docx", "unreadable"),
        (b"\x1f\x8b\x08 and so on", ".bin", "archive"),
        (b"BZh91AY&SY", ".txt", "archive"),
        (b"x" * 257 + b"ustar\0", "", "archive"),
        (b"7z\xbc\xaf\x27\x1c", ".epub", "archive"),
        (b"text", ".tar", "archive"),
        (b"<svg/>", ".svg", "unsupported type"),
        (compound("Some Stream"), ".doc", "unsupported type"),
        (compound("EncryptedPackage"), ".docx", "unreadable"),
    ],
)
def test_what_is_refused_by_its_kind(data: bytes, suffix: str, rule: str) -> None:
    found, detail = refusal(data, suffix)
    assert found == rule and detail


def test_what_is_apples_is_to_be_exported() -> None:
    made = zipped({"Index/Document.iwa": "x", "preview.jpg": "y"})
    assert refusal(made, ".pages") == ("unsupported type", ".pages: export it as DOCX or PDF")
    assert "XLSX" in refusal(made, ".numbers")[1] and "PPTX" in refusal(made, ".key")[1]
    assert refusal(b"-----BEGIN PRIVATE KEY-----", ".key") == ("unsupported type", ".key")


def test_a_password_is_named() -> None:
    assert "password" in refusal(compound("EncryptedPackage"), ".xlsx")[1]
    data = bytearray(zipped({"word/document.xml": "<d/>"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1  # the bit that says: encrypted
    with pytest.raises(Refused, match="password"):
        word.read(io.BytesIO(bytes(data)), ".docx")


# -- bombs -----------------------------------------------------------------------------------------------
def bomb(name: str, size: int = 64 << 20) -> bytes:
    """A ZIP file with a member that shrank to a thousandth."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        member.write(b"<d>")
        for _ in range(size >> 20):
            member.write(b" " * (1 << 20))
    return made.getvalue()


def overlapping(count: int) -> bytes:
    """A ZIP file whose members all are the same bytes."""
    data = zipped({"word/document.xml": "x" * 5000}, zipfile.ZIP_STORED)
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    entries = b"".join(
        entry[:28] + struct.pack("<H", len(name)) + entry[30:46] + name
        for n in range(count)
        for name in [b"word/document%d.xml" % n]
    )
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(entries), start, 0)
    return data[:start] + entries + tail


def test_a_bomb_is_refused_and_not_unpacked() -> None:
    with pytest.raises(Refused, match="67 MB unpacked") as caught:
        word.read(io.BytesIO(bomb("word/document.xml")), ".docx")
    assert caught.value.rule == "zip bomb"
    with pytest.raises(Refused, match="zip bomb|unpacked"):
        sheets.read(io.BytesIO(bomb("xl/workbook.xml")), ".xlsx")
    assert refusal(overlapping(9), ".docx") == ("zip bomb", "its members overlap")


def test_what_is_packed_well_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "BOMB_BYTES", 1000)
    data = zipped({"a": bytes(range(256)) * 400})
    assert len(Package(io.BytesIO(data)).read("a")) == 102_400
    monkeypatch.setattr(package, "WHOLE_BYTES", 1000)
    with pytest.raises(Refused) as caught:
        Package(io.BytesIO(data)).read("a")
    assert caught.value.rule == "too large"


def test_a_member_is_not_longer_than_it_says() -> None:
    data = bytearray(zipped({"word/document.xml": "x" * 100_000}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    with pytest.raises(zipfile.BadZipFile):
        Package(io.BytesIO(bytes(data))).read("word/document.xml")


def test_an_xml_bomb_is_an_error() -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<!DOCTYPE d [<!ENTITY a0 "ha">{entities}]><d>&a11;</d>'
    with pytest.raises(SyntaxError, match="amplification"):
        Package(io.BytesIO(zipped({"a": laughs}))).xml("a")


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"%PDF-"]),
)
def test_any_bytes_have_a_kind_or_are_refused(data: bytes, start: bytes) -> None:
    try:
        assert kind(start + data, ".docx") in (None, *READERS)
    except Refused as refused:
        assert refused.rule in ("archive", "unsupported type", "unreadable", "zip bomb")
