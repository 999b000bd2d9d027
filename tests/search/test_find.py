"""BM25, vectors, and both together."""

import numpy as np
import pytest
from searched import ROWS, opened, row

from netsuke import search
from netsuke.search import find
from netsuke.search.words import Stems, terms, words


def test_words_are_compared_without_case_accents_and_spaces():
    assert words("Naïve STRASSE, os.path_join 東京x") == ["naive", "strasse", "os", "path", "join", "東", "京", "x"]
    assert words("Infor\u00admation, Acme™, №5") == ["information", "acme", "5"]
    stems = Stems()
    assert terms("running runs", stems) == ["run", "run"]
    assert terms("", stems) == []
    stems.close()


@pytest.mark.parametrize(("text", "found"), [
    ("हिन्दी भाषा की किताब", ["हिन्दी", "भाषा", "की", "किताब"]),
    ("বাংলা বই, தமிழ் புத்தகம், తెలుగు పుస్తకం", ["বাংলা", "বই", "தமிழ்", "புத்தகம்", "తెలుగు", "పుస్తకం"]),
    ("ज़रूर كِتَابٌ סֵפֶר", ["जरूर", "كتاب", "ספר"]),  # as they are written without the dot, the vowels, the points
    ("ข้าว ขาว", ["ข้า", "าว", "ขา", "าว"]),  # rice and white: no spaces between words, so two letters at a time
    ("がか 人々 葛\U000e0100城", ["が", "か", "人", "々", "葛", "城"]),
    ("❤️ tm\ufe0f \u0301abc \u093e_", ["tm", "abc"]),
])  # fmt: skip
def test_signs_belong_to_their_letters(text, found):
    assert words(text) == found


def test_a_hindi_word_is_found_where_it_stands(tmp_path):
    goats, books = "बकरी ताज़ा काई और तब की किनारे वाली घास खाती है।", "यह किताब पुरानी है।"
    index = opened(tmp_path / "a.db", [row("goats.md", goats), row("books.md", books), *ROWS])
    assert [quote.path for quote in search.answer(index, "किताब").quotes] == ["books.md"]
    index.close()


def test_what_an_apostrophe_shortens_is_no_word():
    asked = "Why don't they; what’s the miller's? I'd say we'll, you've, he won't"
    assert words(asked) == ["why", "they", "what", "the", "miller", "i", "say", "we", "you", "he"]
    assert words("l'eau d’été, c'est qu'il n'est") == ["eau", "ete", "est", "il", "est"]
    assert words("C's, O'Connor's vitamin D, 't', don, won") == ["c", "o", "connor", "vitamin", "d", "t", "don", "won"]


def test_rare_words_decide(tmp_path):
    rows = [row(f"{n}.txt", f"Common words about common things. Number{n} is here.") for n in range(20)]
    index = opened(tmp_path / "a.db", rows)
    best = index.search(index.question("common number7"), 1)[0]
    assert index.document(index.passage(best.passage).document).path == "7.txt"
    index.close()


def test_vectors_fill_in_where_words_find_little(tmp_path):
    index = opened(tmp_path / "a.db")
    question = index.question("vessel")  # a word of the base alone
    assert question.asked == () and question.vector is not None
    hits = index.search(question)
    assert hits and all(hit.score == find.SIMILAR * hit.cosine for hit in hits)
    assert index.search(question, similar=0.0) == []
    cosines = [hit.cosine for hit in hits]
    assert cosines == sorted(cosines, reverse=True)
    assert np.allclose(np.linalg.norm(index.matrix, axis=1), 1, atol=0.01)
    index.close()


def test_a_document_can_be_left_out(tmp_path):
    index = opened(tmp_path / "a.db")
    question = index.question("honey in winter")
    first = index.passage(index.search(question, 1)[0].passage).document
    rest = index.search(question, without=first)
    assert rest and all(index.passage(hit.passage).document != first for hit in rest)
    index.close()


def test_many_threads_ask_at_once(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    index = opened(tmp_path / "a.db")
    asked = [f"{word} winters {number}ing locks" for number in range(40) for word in ("honey", "barges", "queens")]
    with ThreadPoolExecutor(8) as pool:
        together = [one.row for one in pool.map(lambda text: search.answer(index, text), asked)]
    index.close()
    fresh = opened(tmp_path / "b.db")
    assert together == [search.answer(fresh, text).row for text in asked]
    fresh.close()


def test_stems_are_forgotten_before_they_are_too_many(monkeypatch):
    from netsuke.search import words as module

    monkeypatch.setattr(module, "MOST_KNOWN", 3)
    stems = Stems()
    for _ in range(3):
        assert stems.of(["running", "boats", "lived", "seas", "boats"]) == ["run", "boat", "live", "sea", "boat"]
    stems.close()


def test_the_same_question_has_the_same_answer(tmp_path):
    index = opened(tmp_path / "a.db")
    assert index.search(index.question("winter ice honey")) == index.search(index.question("winter ice honey"))
    index.close()
