"""How much support an answer needs, and the questions that settle it."""

from hypothesis import given
from hypothesis import strategies as st
from searched import BEES

from netsuke.index import asked, settle

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@given(TEXTS)
def test_what_is_cut_out_is_a_question_about_what_stays(text):
    for cut in (asked.headless, asked.sentenceless):
        rest, found = cut(text)
        assert len(rest) <= len(text)
        for one in found:
            assert 0 <= one.begin < one.end <= len(rest) and one.question


def test_headings_become_questions():
    rest, found = asked.headless(BEES)
    assert "Harrow Mill" not in rest
    (one,) = found  # the others have too few words
    assert one.question == "The Bees of Harrow Mill"
    assert rest[one.begin : one.end].strip().startswith("Nobody remembers")


def test_first_sentences_become_questions():
    more = "It has nine arches. It stood for years. " * 4
    text = f"The bridge was built by two brothers from Lyon. {more}\n\nShort."
    rest, (one,) = asked.sentenceless(text)
    assert one.question == "The bridge was built by two brothers from Lyon." and "Lyon" not in rest
    assert rest[one.begin : one.end].startswith("It has nine arches.")


def trials(own, foreign):
    return settle.Tried(tuple((support, True) for support in own), tuple(foreign))


def test_the_least_support_that_holds_the_target():
    found = settle.settled(trials([0.5 + n / 100 for n in range(40)], [n / 100 for n in range(60)]))
    assert found["wrong"] <= settle.TARGET
    assert 0.5 < found["threshold"] < 0.61
    assert found["coverage"] >= 0.75
    lower = settle.measured(trials([0.5 + n / 100 for n in range(40)], [n / 100 for n in range(60)]), 0.5)
    assert lower[0] > settle.TARGET


def test_what_may_have_been_luck_is_not_enough():
    """One foreign question of a hundred passes 0.5: 1% seen, but up to 3.8% cannot be excluded."""
    foreign = [0.7] + [0.3] * 99
    sure = settle.settled(trials([0.6] * 90 + [0.8] * 10, foreign))
    assert sure["threshold"] == 0.3001 and sure["coverage"] == 1
    unsure = settle.settled(trials([0.6] * 60 + [0.2] * 40, foreign))
    assert settle.measured(trials([0.6] * 60 + [0.2] * 40, foreign), 0.5)[0] < settle.TARGET
    assert unsure["threshold"] == 0.7001


def test_where_nothing_is_sure_no_foreign_question_passes():
    found = settle.settled(trials([0.9] * 20, [0.1 * n for n in range(8)] * 3))
    assert found["threshold"] == 0.7001 and found["wrong"] == 0 and found["coverage"] == 1
    assert found["at_most"] > settle.TARGET  # none of 24 was seen, and 8% cannot be excluded


def test_few_questions_settle_nothing():
    assert settle.settled(trials([0.9] * 5, [0.1] * 50))["threshold"] == settle.UNSETTLED


@given(st.lists(st.floats(0, 1), min_size=20, max_size=60), st.lists(st.floats(0, 1), min_size=20, max_size=60))
def test_the_target_is_held_whatever_they_are(own, foreign):
    found = settle.settled(trials(own, foreign))
    assert found["wrong"] <= settle.TARGET and found["wrong"] <= found["at_most"]
    assert found["wrong"] == round(settle.measured(trials(own, foreign), found["threshold"])[0], 4)


def test_strangers_have_as_many_telling_words_as_the_others():
    own = [(1, asked.Asked("how the old mill wheel turns", 0, 1))]
    text = "Nobody paints green ferries before breakfast, unless Tuesday insists upon brushes."
    found = settle.strangers([text], own)
    assert found and {len(text.split()) for text in found} == {4}


def test_foreign_questions_have_as_many_telling_words():
    one = asked.Asked("Why don't the bees' queens swarm?", 0, 0)
    assert settle.strangers(["It isn't what ferries do; they've painted the harbour wall."], [(1, one)]) == [
        "ferries painted harbour"
    ]
