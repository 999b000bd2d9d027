"""Sentences by place, and the curve from a mean probability to a confidence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.texts import sentences


@given(st.text(alphabet='aB. !?\n"-#', max_size=80))
def test_sentences_are_the_whole_text_in_order(text):
    spans = sentences.spans(text)
    assert "".join(text[a:b] for a, b in spans) == text
    assert all(a < b for a, b in spans)


def test_a_sentence_ends_where_a_reader_says():
    text = 'He came. "Why?" she asked.\n\n# Title\n- one point\n- another'
    assert [text[a:b].strip() for a, b in sentences.spans(text)] == [
        "He came.", '"Why?"', "she asked.", "# Title", "- one point", "- another",
    ]  # fmt: skip


def test_short_sentences_are_left_and_the_rest_has_its_mean():
    text = "one two three four. five. six seven eight nine."
    starts = [0, 3, 7, 13, 20, 26, 29, 35, 41]
    found = sentences.shares([0.5, 0.5, 1.0, 1.0, 0.1, 0.2, 0.2, 0.2, 0.2], starts, text)
    assert found == [(0, 4, 0.75), (5, 9, pytest.approx(0.2))]


def test_confidence_lies_on_the_curve_and_stays_within_it():
    curve = [(0.2, 0.1), (0.6, 0.5)]
    assert [sentences.confidence(x, curve) for x in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx(
        [0.1, 0.1, 0.3, 0.5, 0.5]
    )
