"""A document is cut so that nothing but white space is lost, and each passage knows its place and its headings."""

import re

from hypothesis import example, given
from hypothesis import strategies as st
from searched import BEES

from netsuke.index.passages import MOST, MOST_CHARACTERS, passages

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=600)
SOME = ["# One", "## Two two", "", "Title\n=====", "Word. " * 90, "```", "x" * 3000, "東京" * 600, "- item", "\t",
        "Some words here.", "====", "a\u2028b"]  # fmt: skip
LINES = st.lists(st.sampled_from(SOME), max_size=30)


@given(st.one_of(TEXTS, LINES.map("\n".join)))
@example("")
@example(" \n\n ")
@example("\x00\x85\u3000")
def test_passages_hold_all_but_white_space_in_order(text):
    found = passages(text)
    at = 0
    for one in found:
        assert at <= one.begin < one.end <= len(text)
        assert not text[at : one.begin].strip()
        assert not text[one.begin].isspace() or text[one.begin] not in " \t\n"
        assert one.end - one.begin <= 2 * MOST_CHARACTERS
        at = one.end
    assert not text[at:].strip()


@given(LINES.map("\n".join))
def test_no_passage_has_many_more_words_than_it_may(text):
    assert all(len(re.findall(r"\w+", text[p.begin : p.end])) <= MOST for p in passages(text))


def test_a_word_with_signs_is_counted_once():
    (whole,) = passages("हिन्दी भाषा की किताब " * 45)
    assert whole.begin == 0


def test_headings_are_a_path():
    found = {BEES[p.begin : p.end].split("\n")[0]: p.headings for p in passages(BEES)}
    mill = "The Bees of Harrow Mill"
    assert found["# " + mill] == (mill,)
    assert found["## Feeding in winter"] == (mill, "Feeding in winter")
    assert found["## Swarming"] == (mill, "Swarming")


def test_underlines_are_headings_and_fenced_comments_are_not():
    text = "Title\n*****\n\nWords here.\n\nPart\n====\n\nMore.\n\n```sh\n# not one\nls\n```\n\nOther\n*****\n\nEnd."
    assert [p.headings for p in passages(text)] == [("Title",), ("Other",)]  # a short part stays with what is above
    long = text.replace("Words here.", "Words here. " * 20)
    assert [p.headings for p in passages(long)] == [("Title",), ("Title", "Part"), ("Other",)]


def test_a_comment_of_code_is_no_heading():
    assert [p.headings for p in passages("# a comment\nx = 1\n", "code")] == [()]


def test_a_long_paragraph_is_copied_only_a_few_times():
    copied = 0

    class Counted(str):
        def __getitem__(self, key):
            nonlocal copied
            piece = Counted(super().__getitem__(key))
            copied += len(piece)
            return piece

    text = Counted("honey in the comb " * 5000)  # no sentence ends in it
    assert len(passages(text)) == 100 and copied < 10 * len(text)
