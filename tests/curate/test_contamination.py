"""Shared runs of words: found at exactly the length, however they are set, and cut by whole lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate.contamination import LONG_PARAGRAPH_CHARS, Index
from netsuke.curate.duplicates import words

HELD_OUT = "The old mill by the river grinds its grain when autumn rain has filled every stream above."
RUN = HELD_OUT.split()


def other(count: int, start: int = 0) -> str:
    """Words that no other text here has."""
    return " ".join(f"w{number}" for number in range(start, start + count))


@pytest.mark.parametrize(("count", "cut"), [(11, []), (12, [(0, 1)]), (13, [(0, 1)])])
@pytest.mark.parametrize("start", [0, 2, 4])
def test_a_run_of_twelve_words_counts(count, cut, start):
    text = f"{other(9)} {' '.join(RUN[start : start + count])} {other(9, 20)}"
    assert Index([HELD_OUT]).cut(text) == cut
    assert Index([HELD_OUT], length=count).cut(text) == [(0, 1)]
    assert Index([HELD_OUT], length=count + 1).cut(text) == []


@pytest.mark.parametrize(
    "text",
    [
        HELD_OUT.upper(),
        "the OLD mill, by the river -- grinds: its grain (when autumn rain) “has” filled",
        "The old\nmill by\nthe river\ngrinds its\ngrain when\nautumn rain\nhas filled",
        "x The\told  mill… by the river grinds/its grain when autumn rain has filled y",
    ],
)
def test_case_punctuation_and_line_breaks_do_not_matter(text):
    assert Index([HELD_OUT]).cut(text) == [(0, text.count("\n") + 1)]


def test_chinese_and_korean_count_by_character():
    index = Index(["白日依山尽黄河入海流欲穷千里目更上一层楼", "스트라스부르의강가에는오래된집들이"])
    assert index.cut("他说白日依山尽,黄河入海流。\n欲穷,他说。") == [(0, 2)]
    assert index.cut("他说白日依山尽,黄河入海流。\n穷欲,他说。") == []
    assert index.cut("스트라스부르의 강가에는 오래된") == [(0, 1)]


def test_letters_that_grow_when_folded():
    text = "İstanbul Straße ŉ ǰ ΐ ﬁ ﬂ groß İİ weiß süß heiß"
    assert Index([text.casefold()]).cut(f"first line\n\n{text}\n\nlast line") == [(2, 3)]


def test_the_paragraph_goes_and_no_more():
    text = f"{other(20)}\n\n{other(5, 30)}\n{HELD_OUT}\n{other(5, 40)}\n \n{other(20, 60)}\n"
    assert Index([HELD_OUT]).cut(text) == [(2, 5)]


def test_a_run_over_two_paragraphs_takes_both():
    text = f"{other(3)}\n{' '.join(RUN[:6])}\n\n\n{' '.join(RUN[6:12])}\n{other(3, 9)}\n\n{other(20, 30)}"
    assert Index([HELD_OUT]).cut(text) == [(0, 2), (4, 6)]


def test_of_a_long_paragraph_only_the_lines_go():
    filling = [other(20, 100 * n) for n in range(20)]
    lines = [*filling[:4], " ".join(RUN[:5]), " ".join(RUN[5:]), *filling[4:], HELD_OUT, "the end"]
    assert len("\n".join(lines)) > LONG_PARAGRAPH_CHARS
    assert Index([HELD_OUT]).cut("\n".join(lines)) == [(4, 6), (22, 23)]


def test_a_paragraph_is_long_from_one_character_more():
    rest = LONG_PARAGRAPH_CHARS - len(HELD_OUT) - 1
    for extra, cut in ((0, [(0, 2)]), (1, [(1, 2)])):
        text = "x" * (rest + extra) + "\n" + HELD_OUT
        assert len(text) == LONG_PARAGRAPH_CHARS + extra and Index([HELD_OUT]).cut(text) == cut


def test_fenced_code_goes_whole():
    code = "\n\n".join(["```", *(other(20, 100 * n) for n in range(20)), HELD_OUT, "```"])
    assert len(code) > LONG_PARAGRAPH_CHARS
    assert Index([HELD_OUT]).cut(f"{other(9)}\n{code}\n{other(9)}") == [(1, 2 + code.count("\n"))]
    assert Index([HELD_OUT]).cut(f"```\n{other(9)}\n\n{HELD_OUT}\n\n{other(9)}") == [(3, 4)]  # a fence left open


@pytest.mark.parametrize("held_out", [[], [""], ["too short to count"], [" ".join(RUN[:11])]])
def test_short_texts_hold_nothing(held_out):
    index = Index(held_out)
    assert len(index) == 0 and index.cut(HELD_OUT) == [] and index.cut("") == []


def test_no_run_goes_from_one_held_out_text_to_the_next():
    assert Index([" ".join(RUN[:6]), " ".join(RUN[6:])]).cut(HELD_OUT) == []


WORDS = st.lists(st.sampled_from(["a", "B", "ç", "字", "\n", "\n\n", "-"]), max_size=40).map(" ".join)


@given(st.lists(WORDS, max_size=4), WORDS, st.integers(1, 5))
def test_it_is_what_sets_of_words_say(held_out, text, length):
    def runs(found: list[str]) -> list[tuple[str, ...]]:
        return list(zip(*(found[i:] for i in range(length)), strict=False))

    known = {run for held in held_out for run in runs(words(held))}
    index = Index(held_out, length)
    assert len(index) == len(known)
    lines = text.split("\n")
    line_of_word = [number for number, line in enumerate(lines) for _ in words(line)]
    hit = {
        line_of_word[i + k] for i, run in enumerate(runs(words(text))) if run in known for k in range(length)
    }
    cut = {number for start, end in index.cut(text) for number in range(start, end)}
    assert hit <= cut and all(lines[number].strip() for number in cut)
    for number in cut - hit:  # by its paragraph
        start = end = number
        while start and lines[start - 1].strip():
            start -= 1
        while end + 1 < len(lines) and lines[end + 1].strip():
            end += 1
        assert hit & set(range(start, end + 1))
    assert Index(reversed(held_out), length).cut(text) == index.cut(text)
