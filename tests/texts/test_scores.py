"""The scores of a task, at values that can be counted by hand, and what holds of all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.texts.scores import SCORES, accuracy, exact_match, macro_f1, rouge_l, token_f1

RIGHT = ["net", "net", "net", "math"]


def test_accuracy_is_the_share_and_macro_f1_the_mean_over_labels():
    said = ["net", "net", "net", "net"]
    assert accuracy(said, RIGHT) == 0.75
    assert macro_f1(said, RIGHT) == pytest.approx((2 * 3 / 7 + 0) / 2)
    assert macro_f1(["doc", "net", "net", "net"], RIGHT) == pytest.approx((2 * 2 / 6 + 0 + 0) / 3)


def test_case_and_marks_make_no_difference_to_an_extraction():
    assert exact_match(["The  river."], ["the river"]) == 1 and exact_match(["a river"], ["the river"]) == 0
    assert token_f1(["the old river"], ["the river"]) == pytest.approx(0.8)


def test_of_json_the_keys_alone_earn_nothing():
    right = ['{"package": "fox", "version": "1.2"}']
    assert exact_match(['{"version": "1.2", "package": "fox"}'], right) == 1
    assert token_f1(['{"package": "hen", "version": "9"}'], right) == 0
    assert token_f1(['{"package": "fox", "version": "9.9"}'], right) == pytest.approx(2 / 6)
    assert exact_match(['{"pack": "fox", "version": "1.2"}'], right) == 0
    assert token_f1(["[" * 100_000], right) == 0


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("-5", "5"), ("- 5", "5"), ("3.14", "3,14"), ("3.14", "3 14"), (".5", "5"), ("-.5", ".5"), ("C++", "C#"),
        ("C++", "C"), ("c#.", "c"), ("5%", "5"), ("~5", "5"), ("a = b", "a < b"), ("x != 2", "x = 2"),
        ("\u2264 2", "\u2265 2"),
        ('{"libc": ">= 2.3"}', '{"libc": "<= 2.3"}'), ('{"sign": "+"}', '{"sign": "-"}'), ('{"n": -5}', '{"n": 5}'),
        ("\u6e29\u5ea6-5", "\u6e29\u5ea65"), ("libc-dev", "libc dev"),
    ],
)  # fmt: skip
def test_signs_operators_and_decimal_marks_tell_exact_answers_apart(said, right):
    assert exact_match([said], [right]) == 0 and exact_match([right], [right]) == 1 == exact_match([said], [said])


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (">=2.3", ">=  2.3"), ("\u22125", "- 5."), ("5 %", "5%"), ("Yes, 3.", "yes 3"), ("- Apples", "apples"),
        ("# Title!", "title"), ("the river - old", "The river: old"), ("(C++)", '"c++".'), ("1.2, 3", "1.2 3"),
        ("a<b", "A < b"), ('{"v": ">= 2"}', '{"v":">=2"}'), ("...5", "5"), ("what? no!", "What no"),
    ],
)  # fmt: skip
def test_other_marks_and_spaces_do_not(said, right):
    assert exact_match([said], [right]) == 1


def test_many_marks_take_no_time():
    assert exact_match(["-" * 100_000 + "= " * 100_000], ["a"]) == 0


def test_an_answer_without_letters_is_told_by_its_characters():
    assert exact_match(["+"], ["-"]) == 0 and exact_match(["<="], [" <= "]) == 1
    assert rouge_l(["\U0001f600"], ["\U0001f621"]) == 0 == rouge_l(["\u2764\ufe0f"], ["\u2600\ufe0f"])
    assert rouge_l(["", "\U0001f600"], ["", "\U0001f600"]) == 1


def test_vowels_behind_their_letter_belong_to_the_word():
    assert exact_match(["\u0939\u093f\u0928\u094d\u0926\u0940"], ["\u0939\u093f\u0928\u094d\u0926\u0942"]) == 0
    assert exact_match(["cafe\u0301"], ["Caf\u00e9!"]) == 1


def test_without_spaces_between_words_each_character_is_one():
    assert rouge_l(["\u6253\u5370\u673a\u574f"], ["\u6253\u5370\u673a"]) == pytest.approx(6 / 7)
    assert token_f1(["\u6771\u4eac\u90fd"], ["\u6771\u4eac"]) == pytest.approx(0.8)
    assert exact_match(["\u5171 3 \u4e2a"], ["\u51713\u4e2a\u3002"]) == 1 > exact_match(["\u4e2a"], ["\u5171"])


def test_rouge_l_is_about_order():
    assert rouge_l(["the cat sat on a mat"], ["the cat lay on the mat"]) == pytest.approx(2 * 4 / 12)
    assert rouge_l(["b a"], ["a b"]) == 0.5 and token_f1(["b a"], ["a b"]) == 1


TEXT = st.sampled_from(["", "a", "b", "a b", "b a c", "A b."])


@given(pairs=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6))
def test_every_score_is_a_share_and_one_for_the_truth(pairs):
    said, right = [a for a, _ in pairs], [b for _, b in pairs]
    picks = [[0] * len(pairs), list(range(len(pairs)))]
    for score in (score for some in SCORES.values() for score in some):
        assert 0 <= score.function(said, right) <= 1
        assert score.function(right, right) == 1
        assert score.resampled(said, right, picks)[1] == pytest.approx(score.function(said, right))
