"""Every quote is the document's own bytes at the place that it tells, whatever the text and the question."""

import hashlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from searched import BEES, ROWS, opened, row

from netsuke import search
from netsuke.errors import RecipeError
from netsuke.search.answers import LONGEST

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400)
BITS = ["honey", "東京", "é", "naïve", "\n\n", "# H\n", ". ", " ", "x" * 700, "👩‍👩‍👧", "\u0301", "İ", "ß", "\0", "and"]
SOME = st.lists(st.sampled_from(BITS), min_size=1, max_size=30).map("".join)


@settings(max_examples=60)
@given(st.lists(st.one_of(TEXTS, SOME), min_size=1, max_size=3), st.one_of(TEXTS, SOME))
@example(["a\u0301bc. İstanbul"], "İstanbul")
def test_a_quote_is_the_document_between_its_offsets(tmp_path_factory, texts, question):
    rows = [row(f"{n}.md", text) for n, text in enumerate(texts)]
    index = opened(tmp_path_factory.mktemp("q") / "search.db", rows, threshold=0.0)
    try:
        for quote in search.answer(index, question, 10).quotes:
            text = texts[int(quote.path.removesuffix(".md"))]
            assert quote.text == text[quote.begin : quote.end] and quote.text.strip()
            assert quote.text.encode() in text.encode()
            assert quote.line == text.count("\n", 0, quote.begin) + 1
            assert 0 <= quote.support <= 1
    finally:
        index.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("search") / "search.db")


@pytest.mark.parametrize(("question", "path", "part"), [
    ("How much honey does a colony need?", "bees.md", "twenty kilograms"),
    ("what attracts a swarm", "bees.md", "lemon balm"),
    ("breaking ice with a barge", "locks.md", "eight men rocked"),
    ("東京", "more/fern.txt", "東京の塔"),
    ("strasse nach koln", "more/fern.txt", "Straße nach Köln"),
    ("FONDANT?!", "bees.md", "Fondant may be laid"),
])  # fmt: skip
def test_the_sentence_that_bears_on_it_is_quoted(index, question, path, part):
    first = search.answer(index, question).quotes[0]
    assert first.path == path and part in first.text


ODD = [
    '"', '" OR *', "honey NEAR(winter, 2)", "text:honey", "above : honey", "honey*", "-honey", "^honey", "((((", "NOT",
    "AND OR NOT", "'; DROP TABLE documents; --", "honey\0winter", "{text above}: honey", "%", "_", "\\", "🐝🐝🐝", "",
    " \n\t", "the of and", "a" * LONGEST, "honey " * 300, '"""honey"""', "honey + syrup", "\u202ehoney", "١٢٣",
]  # fmt: skip


@pytest.mark.parametrize("question", ODD)
def test_nothing_in_a_question_is_a_command(index, question):
    answer = search.answer(index, question)
    texts = {one["path"]: one["text"] for one in ROWS}
    assert all(one.text == texts[one.path][one.begin : one.end] for one in answer.quotes)
    plain = search.answer(index, "honey winter syrup")
    assert plain.quotes  # the documents are still there


def test_what_is_in_no_document_is_not_found(index):
    for question in ("quantum chromodynamics", "🐝", "", "zzzz qqqq"):
        answer = search.answer(index, question)
        assert answer.quotes == () and answer.row["found"] is False


@pytest.mark.parametrize(("plain", "shortened"), [
    ("When is sugar syrup given?", "When's sugar syrup given?"),
    ("Why do bees not freeze in winter?", "Why don't bees freeze in winter?"),
    ("What does the queen do?", "What doesn’t the queen do?"),
])  # fmt: skip
def test_a_shortened_question_is_answered_as_the_plain_one(index, plain, shortened):
    assert search.answer(index, shortened).row["quotes"] == search.answer(index, plain).row["quotes"]


@pytest.mark.parametrize("letter", ["C", "R"])
def test_a_letter_alone_is_looked_for(tmp_path, letter):
    found = opened(tmp_path / "a.db", [row("a.md", f"It is written in {letter} alone."), *ROWS])
    assert search.answer(found, letter).quotes[0].path == "a.md"
    found.close()


def test_only_stop_words_are_looked_for_as_they_are(index):
    assert search.answer(index, "so that the").nearest > 0


def test_a_question_that_is_too_long_is_told(index):
    with pytest.raises(RecipeError, match="2,001 characters"):
        search.answer(index, "x" * (LONGEST + 1))


def test_a_heading_is_told_and_seldom_quoted(index):
    first = search.answer(index, "feeding in winter").quotes[0]
    assert first.headings == ("The Bees of Harrow Mill", "Feeding in winter")
    assert not first.text.startswith("#")


def test_an_underlined_heading_is_one_too(tmp_path):
    text = 'The "with" statement\n====================\n\nIt wraps a block. The statement is old.\n'
    found = opened(tmp_path / "a.db", [row("a.rst", text)])
    assert search.answer(found, "with statement").quotes[0].text == "It wraps a block. The statement is old."
    found.close()


def test_the_hash_of_a_document_is_its_text(index):
    ((digest,),) = index.rows("SELECT hash FROM documents WHERE path = 'bees.md'")
    assert digest == hashlib.sha256(BEES.encode()).hexdigest()
