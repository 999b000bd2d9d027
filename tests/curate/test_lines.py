"""Normalised text, and where each of its lines was in the file."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import lines
from netsuke.texts import places as places_of

anything = st.text(st.characters(codec=None), max_size=60) | st.text(
    alphabet=" \n\r\t\fae\u0301\u2028x", max_size=60
)


def test_normalise() -> None:
    given_text = "\n\na \t\r\nb\rc\u2028d\f\ne\x07\ufeff\u0085\n\n\n\n\nf\n"
    assert lines.normalise(given_text)[0] == "a\nb\nc\nd\n\ne\n\n\nf"
    assert lines.normalise("  indented\n\ttoo")[0] == "  indented\n\ttoo"
    assert lines.normalise("cafe\u0301 \ud800")[0] == "café \ufffd"
    assert lines.normalise("e\x00\u0301")[0] == "é"
    assert lines.normalise("Infor\u00adma\u2060tion")[0] == "Information"
    assert lines.normalise(" " * 300_000 + "x")[0] == " " * 300_000 + "x"
    assert lines.normalise("")[0] == ""


def test_what_steers_a_terminal_goes_whole() -> None:
    log = "\x1b]0;make\x07\x1b[1;32mPASSED\x1b[0m in \x1b[38;5;9m2 s\x1b[m\x1b(B\x1b[K"
    assert lines.normalise(log)[0] == "PASSED in 2 s"
    assert lines.normalise("N\bNA\bAM\bME\bE  _\bl_\bs -a\n\b\bx")[0] == "NAME  ls -a\nx"
    assert lines.normalise("key \x1b alone, [0m too")[0] == "key  alone, [0m too"
    for piece in ("\x1b[", "\x1b]", "\x1b[1", "\b", "a\b", "\x1b"):
        lines.normalise(piece * 300_000)  # the square would time out


@given(anything)
def test_normalised_text_is_clean_and_stays_as_it_is(text: str) -> None:
    once, _ = lines.normalise(text)
    assert lines.normalise(once)[0] == once and unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in once if c not in "\n\t")
    assert all(line == line.rstrip() for line in once.split("\n")) and "\n\n\n\n" not in once


def in_file(text: str) -> list[str]:
    """The lines of a file as an editor numbers them."""
    return re.split(r"\r\n|\r|\n", text)


@given(anything)
def test_every_line_is_found_again_in_the_file(text: str) -> None:
    once, places = lines.normalise(text)
    for number, line in enumerate(once.split("\n") if once else [], 1):
        there = in_file(text)[places_of.line_in_file(places, number) - 1]
        assert line in lines.normalise(there)[0] or not line


documents = st.lists(st.sampled_from(["", "one", "two words", "  three"]), max_size=14).map("\n".join)
cuts = st.sets(st.integers(0, 13)).map(lambda found: [(n, n + 1) for n in sorted(found)])


@given(documents, cuts)
def test_what_is_cut_leaves_the_rest_at_its_place(text: str, cut: list[tuple[int, int]]) -> None:
    numbered = "\n".join(f"{line} {n}" if line else "" for n, line in enumerate(text.split("\n"), 1))
    once, places = lines.normalise(numbered)
    count = once.count("\n") + 1
    cut = [(start, end) for start, end in cut if end <= count]
    gone = {once.split("\n")[start] for start, _ in cut}
    left, moved = lines.without(once, places, cut)
    assert [line for line in left.split("\n") if line] == [
        line for line in once.split("\n") if line and line not in gone
    ]
    for number, line in enumerate(left.split("\n"), 1):
        if line:
            assert line.endswith(f" {places_of.line_in_file(moved, number)}")
    assert not left.startswith("\n") and not left.endswith("\n")


@given(documents, st.integers(0, 13), st.integers(1, 13))
def test_a_part_knows_where_it_began(text: str, first: int, count: int) -> None:
    numbered = "\n".join(f"{line} {n}" if line else "" for n, line in enumerate(text.split("\n"), 1))
    once, places = lines.normalise(numbered)
    part = once.split("\n")[first : first + count]
    mine = lines.part(places, first, first + count)
    for number, line in enumerate(part, 1):
        if line:
            assert line.endswith(f" {places_of.line_in_file(mine, number)}")
    assert all(line <= count for line, _ in mine)


@given(st.lists(st.integers(1, 60), unique=True), st.integers(1, 60), st.integers(0, 30))
def test_the_pages_of_some_lines_are_theirs_and_no_more(starts: list[int], first: int, more: int) -> None:
    pages = tuple((line, f"page {n}") for n, line in enumerate(sorted(starts), 1))
    mine = places_of.pages_between(pages, first, first + more)
    labels = [places_of.page(pages, line) for line in range(first, first + more + 1)]
    assert [places_of.page(mine, line) for line in range(first, first + more + 1)] == labels
    assert {label for _, label in mine} <= set(labels)


def test_a_cut_between_two_gaps_leaves_one() -> None:
    text = "a\n\n\nb\n\nc\nd\ne\n\nf"
    assert lines.without(text, ((1, 1),), [(3, 4)]) == ("a\n\n\nc\nd\ne\n\nf", ((1, 1), (4, 6)))
    assert lines.without(text, ((1, 1),), [(6, 7)]) == ("a\n\n\nb\n\nc\ne\n\nf", ((1, 1), (7, 8)))
    assert lines.without(text, ((1, 1),), [(0, 1), (9, 10)])[0] == "b\n\nc\nd\ne"
    assert lines.without(text, ((1, 1),), [(0, 10)])[0] == ""


def test_pages() -> None:
    pages = ((1, "page 1"), (40, "page 2"), (80, "page 3"))
    assert [places_of.page(pages, line) for line in (1, 39, 40, 79, 500)] == [
        "page 1", "page 1", "page 2", "page 2", "page 3"]  # fmt: skip
    assert places_of.page((), 7) == "" and places_of.page(((5, "slide 1"),), 4) == ""


@given(documents)
def test_paragraphs_are_all_that_is_not_blank(text: str) -> None:
    found = list(lines.paragraphs(text.split("\n")))
    inside = {n for start, end in found for n in range(start, end)}
    assert inside == {n for n, line in enumerate(text.split("\n")) if line.strip()}
    assert all(a[1] < b[0] for a, b in zip(found, found[1:], strict=False))
