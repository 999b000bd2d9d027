"""Mail and mailboxes: every body in its charset, attachments named, quotes kept, one message at a time."""

from __future__ import annotations

import base64
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_documents import EML, FROM, MBOX

from netsuke.readers import mail
from netsuke.readers.pages import Refused


def eml(data: bytes) -> str:
    return mail.read_eml(io.BytesIO(data), ".eml").text


def body(data: bytes) -> str:
    return eml(b"Subject: s\n" + data).removeprefix("Subject: s\n\n")


def mbox(data: bytes) -> tuple[str, list[tuple[int, str]]]:
    found = mail.read_mbox(io.BytesIO(data), ".mbox")
    return found.text, found.pages


def test_a_mail() -> None:
    found = mail.read_eml(io.BytesIO(EML), ".eml")
    assert found.title == "Café" and found.pages == []
    assert found.text == "Subject: Café\nFrom: ann@example.org\nTo: bo@example.org\n\nThe plain café."
    with pytest.raises(Refused, match="no mail headers"):
        eml(b"no mail")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"=?utf-8?B?4pyT?= and =?iso-8859-1?Q?=E9?= =?utf-8?q?t=C3=A9?=", "✓ and été"),
        ("plain Zoë".encode(), "plain Zoë"),
        (b"caf\xe9", "café"),
        (b"=?iso-8859-1?Q?It=92s_5_=80?=", "It’s 5 €"),
        (b"=?nope?q?a=E9?=", "aé"),
        (b"=?utf-8?b?a?=", "=?utf-8?b?a?="),
        (b"folded\n over\n\tlines", "folded over lines"),
    ],
)
def test_headers(raw: bytes, shown: str) -> None:
    assert mail.read_eml(io.BytesIO(b"Subject: " + raw + b"\n\nx"), ".eml").title == shown


@pytest.mark.parametrize(
    ("head", "data", "shown"),
    [
        (
            "text/plain; charset=utf-8\nContent-Transfer-Encoding: base64",
            base64.b64encode("Zoë".encode()),
            "Zoë",
        ),
        ("text/plain; charset=iso-2022-jp", "日本語".encode("iso-2022-jp"), "日本語"),
        ("text/plain; charset=koi8-r", "привет".encode("koi8-r"), "привет"),
        ("text/plain; charset=x-unknown", b"caf\xe9", "café"),
        ("text/plain; charset=us-ascii", "Zoë".encode(), "Zoë"),
        ("text/plain; charset=us-ascii", b"It\x92s\x85", "It’s…"),
        ("text/plain; charset=iso-8859-1", b"It\x92s 5 \x80\x85 so", "It’s 5 €… so"),
        ("text/html; charset=latin1", b"<p>It\x92s", "It’s"),
        ("text/markdown; charset=utf-8", "# Zoë\n\n*hi* <b>".encode(), "# Zoë\n\n*hi* <b>"),
        ("text/enriched", b"<bold>Hi</bold> <<b>, <color><param>red</param>you</color>", "Hi <b>, you"),
        ("text/calendar; name=x.ics", b"BEGIN:VCALENDAR", "[attached: x.ics]"),
        ("text/plain; charset=utf-8", "привет, как дела".encode("cp1251"), "ïðèâåò, êàê äåëà"),
        (
            "text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable",
            b"a =\nb =C3=A9 =ZZ",
            "a b é =ZZ",
        ),
        ("text/plain\nContent-Transfer-Encoding: base64", b"not base64!", "not base64!"),
        ("text/plain", b"yes\n\n> no\n>> quoted\n-- \nAnn", "yes\n\n> no\n>> quoted\n-- \nAnn"),
        ("text/html", b"<h1>Hi</h1><p>a &lt; b<br>c", "# Hi\n\na < b\nc"),
        ("application/pdf; name*=utf-8''b%C3%A4r.pdf", b"%PDF", "[attached: bär.pdf]"),
        ("text/plain\nContent-Disposition: attachment; filename=notes.txt", b"x", "[attached: notes.txt]"),
        ("application/x-thing\nContent-Disposition: attachment", b"x", "[attached: application/x-thing]"),
        ("multipart/mixed; boundary=gone", b"text after all", "text after all"),
    ],
)
def test_bodies(head: str, data: bytes, shown: str) -> None:
    assert body(f"Content-Type: {head}\n\n".encode() + data) == shown


def test_parts_of_parts() -> None:
    mixed = (
        b"Content-Type: multipart/mixed; boundary=m\n\npreamble\n--m\n"
        b"Content-Type: multipart/alternative; boundary=a\n\n"
        b"--a\nContent-Type: text/plain\n\n \n--a\nContent-Type: text/html\n\n<p>only here\n--a--\n"
        b"--m\nContent-Type: message/rfc822\n\nSubject: inner\nFrom: cy@example.org\n\ninner text\n"
        b"--m\nContent-Type: image/png\n\nlogo\n--m--\n"
    )
    assert body(mixed) == "only here\n\nSubject: inner\nFrom: cy@example.org\n\ninner text"


def test_other_text_is_shown_where_there_is_no_body() -> None:
    enriched = b"--m\nContent-Type: text/enriched\n\n<bold>rich</bold>\n"
    plain, blank = b"--m\nContent-Type: text/plain\n\nplain\n", b"--m\nContent-Type: text/plain\n\n \n"
    forwarded = b"--m\nContent-Type: message/rfc822\n\nSubject: inner\n\nplain\n"
    mixed = b"Content-Type: multipart/mixed; boundary=m\n\n"
    either = mixed.replace(b"mixed", b"alternative")
    assert (
        body(either + enriched + plain + b"--m--\n") == body(mixed + enriched + plain + b"--m--\n") == "plain"
    )
    assert body(either + blank + enriched + b"--m--\n") == "rich"
    assert body(mixed + enriched + forwarded + b"--m--\n") == "rich\n\nSubject: inner\n\nplain"


def test_nesting_without_end_is_an_error_and_no_crash() -> None:
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
    with pytest.raises(RecursionError):
        body(head)
    assert mbox(FROM + b"Subject: deep\n" + head + b"\n\n" + MBOX)[1][0] == (1, "message 1")


def test_a_mailbox() -> None:
    text, pages = mbox(MBOX)
    assert pages == [(1, "message 1"), (7, "message 2")]
    assert text.split("\n")[6:] == ["Subject: two", "", "The second."]
    with pytest.raises(Refused, match="does not begin"):
        mbox(b"x" + MBOX)


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (b"a\n\nFrom here it goes on.\n", 1),  # no time and year in it
        (b"a\n\n>From here.\n>>From there.\n", 1),
        (b"a\n" + FROM + b"b\n", 1),  # no blank line before it
        (b"a\n\n" + FROM + b"Subject: t\n\nb\n", 2),
        (b"a\r\n\r\n" + FROM.replace(b"\n", b"\r\n") + b"Subject: t\r\n\r\nb\r\n", 2),
        (b"a\n\nFrom - Thu Jan 01 00:00:00 2026\nSubject: t\n\nb\n", 2),
        (b"a\n\nFrom 1@xxx Thu Jan 01 00:00:00 +0000 2026\nSubject: t\n\nb\n", 2),
    ],
)
def test_where_a_message_begins(lines: bytes, count: int) -> None:
    text, pages = mbox(FROM + b"Subject: s\n\n" + lines)
    assert len(pages) == count
    if b">From" in lines:
        assert "\nFrom here.\n>From there." in text


def test_a_mailbox_without_times_is_split_all_the_same() -> None:
    assert len(mbox(b"From a\nSubject: s\n\nx\n\nFrom b\nSubject: s\n\ny\n")[1]) == 2


def test_a_mailbox_takes_the_memory_of_its_text_and_one_message(tmp_path: Path) -> None:
    message = (
        FROM
        + b"Subject: s\nContent-Type: application/pdf; name=a.pdf\n\n"
        + (b"x" * 75 + b"\n") * 6_500
        + b"\n"
    )
    path = tmp_path / "mbox"
    with path.open("wb") as file:
        for _ in range(30):
            file.write(message)  # half a MB each
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            found = mail.read_mbox(file, ".mbox")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.pages) == 30 and peak < 8e6


@given(st.lists(st.sampled_from([b"From a 00:00 2026\n", b"\n", b"x", b"From ", b"A: b\n", b"\xff", b"--b\n",
                                 b"Content-Type: multipart/mixed; boundary=b\n", b"=?utf-8?q?=", b"\r"])))  # fmt: skip
def test_no_mailbox_makes_it_raise(pieces: list[bytes]) -> None:
    text, pages = mbox(FROM + b"".join(pieces))
    lines = text.split("\n")
    assert all(lines[line - 1].strip() or not text for line, _ in pages)
