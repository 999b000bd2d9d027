"""How much of a text's words documents know."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from searched import BEES, FOREIGN, ROWS, database, row

from netsuke.search.familiar import MOST_CHARS, Familiar


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return Familiar(database(tmp_path_factory.mktemp("words") / "search.db"))


def test_what_stands_in_the_documents_is_known_whole(known):
    assert known.share("A colony needs twenty kilograms of honey")[0] == 1.0
    assert known.share("COLONIES need Honey!")[0] == 1.0  # by their stems
    assert known.share("東京の塔")[0] == 1.0 and known.share("Die Straße nach Köln")[0] == 1.0


def test_what_does_not_is_not(known):
    assert known.share("quaternion zygote") == (0.0, 2)
    share, words = known.share("honey quaternion")
    assert 0 < share < 0.5 and words == 2  # a word that nobody knows weighs more
    assert known.share("honeycomb")[0] == 0.0  # the base alone knows it


@pytest.mark.parametrize("text", ["", " ", "the of and", "?!…", "\0", "\ud800"])
def test_a_text_without_telling_words_says_nothing(known, text):
    assert known.share(text) is None


@given(st.text(max_size=300))
def test_any_text_has_a_share_or_none(known, text):
    found = known.share(text)
    assert found is None or (0 <= found[0] <= 1 and found[1] > 0)


@given(st.permutations("honey syrup quaternion zygote winter".split()), st.integers(1, 3))
def test_order_and_repeats_do_not_count(known, listed, times):
    assert known.share(" ".join(listed * times)) == pytest.approx(known.share("honey syrup quaternion zygote winter"))


def test_of_a_long_text_its_end_is_looked_at(known):
    assert known.share("quaternion " * MOST_CHARS + "honey " * (MOST_CHARS // 6 + 1))[0] == 1.0


def test_a_piece_of_a_document_is_held_against_the_others(tmp_path):
    copied = [row("one.md", BEES), row("two.md", BEES + "\nMore.")]
    alike = Familiar(database(tmp_path / "alike.db", copied))
    assert min(alike.pieces([5] * 20)) > 0.9
    apart = Familiar(database(tmp_path / "apart.db", [row("one.md", BEES), row("two.md", FOREIGN)]))
    assert max(apart.pieces([5] * 20)) < 0.2
    assert apart.pieces([5] * 20, seed=1) == apart.pieces([5] * 20, seed=1)


def test_a_single_document_has_no_others(tmp_path):
    assert Familiar(database(tmp_path / "one.db", [ROWS[0]])).pieces([4, 4]) == []


def test_what_is_no_database_is_said(tmp_path):
    (tmp_path / "no.db").write_bytes(b"nothing" * 400)
    with pytest.raises(sqlite3.Error):
        Familiar(tmp_path / "no.db")
    with pytest.raises(sqlite3.Error):
        Familiar(tmp_path / "gone.db")
