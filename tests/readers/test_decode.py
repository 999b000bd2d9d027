"""Bytes to text: every encoding is right, or refused by name; none is guessed into nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.readers.decode import decode
from netsuke.readers.pages import Refused


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("Grüße 日本".encode(), "Grüße 日本", "utf-8"),
        ("Grüße".encode("utf-8-sig"), "Grüße", "utf-8"),
        ("Grüße 日本".encode("utf-16"), "Grüße 日本", "utf-16"),
        (b"\xfe\xff" + "Grüße".encode("utf-16-be"), "Grüße", "utf-16"),
        ("Grüße".encode("utf-32"), "Grüße", "utf-32"),
        ("שלום عالم 👩‍👩‍👧 🏳️‍🌈".encode(), "שלום عالم 👩‍👩‍👧 🏳️‍🌈", "utf-8"),
        ("Viele Grüße – „so“ sagt man".encode("cp1252"), "Viele Grüße – „so“ sagt man", "cp1252"),
        ("# -*- coding: koi8-r -*-\nпривет".encode("koi8-r"), "# -*- coding: koi8-r -*-\nпривет", "koi8-r"),
        (
            "日本語の文章です。".encode() * 9 + b"\xe3\x81",
            "日本語の文章です。" * 9 + "\ufffd",
            "utf-8, damaged",
        ),
        (
            "Zoë\n日本\n".encode() + "Grüße aus Köln".encode("cp1252"),
            "Zoë\n日本\nGrüße aus Köln",
            "cp1252 and utf-8",
        ),
        (
            "日本語の文章です。".encode() * 9 + b"\xe3\x81\nA caf\xe9.",
            "日本語の文章です。" * 9 + "\ufffd\nA café.",
            "cp1252 and utf-8, damaged",
        ),
        (b"# coding: latin-1\nIt\x92s 5 \x80\x81 caf\xe9", "# coding: latin-1\nIt’s 5 €\x81 café", "latin-1"),
        (b"", "", "utf-8"),
    ],
)
def test_encodings(data: bytes, text: str, encoding: str) -> None:
    assert decode(data) == (text, encoding)


@pytest.mark.parametrize(
    "declared", ["iso-8859-1", "ISO8859-1", "latin-1", "Latin1", "us-ascii", "ascii", "iso_8859-1"]
)
def test_latin_1_is_windows_1252_as_in_browsers(declared: str) -> None:
    data = "“It’s” – 5 € a jar… ".encode("cp1252") + b"\x81"
    assert decode(data, declared) == ("“It’s” – 5 € a jar… \x81", declared.lower())


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("Grüße".encode("utf-16-be"), "binary"),
        ("привет, как дела".encode("cp1251"), "unreadable"),
        ("日本語の文章です".encode("shift_jis"), "unreadable"),
        (("日本語\n" * 9).encode() + "日本語の文章です".encode("shift_jis"), "unreadable"),
        (b"\xff\xfeodd", "unreadable"),
        (b"text \0 and more", "binary"),
        (b"x" * (2 << 20) + b"\0", "binary"),
        ("\ufeffa\0b".encode("utf-16-le"), "binary"),
        (bytes(range(1, 256)), "binary"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, rule: str) -> None:
    with pytest.raises(Refused) as caught:
        decode(data)
    assert caught.value.rule == rule and caught.value.detail


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_utf8_is_read_as_it_is(text: str) -> None:
    assert decode(text.encode())[0] == text.removeprefix("\ufeff")


@given(st.binary(max_size=300))
def test_no_bytes_are_lost_or_break_it(data: bytes) -> None:
    try:
        text, encoding = decode(data)
    except Refused:
        return
    assert encoding and text.count("\n") >= (0 if encoding.startswith("utf-") else data.count(b"\n"))
