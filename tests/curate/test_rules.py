"""Each rule at its limit, beside a plain reading of its definition, and on texts of every kind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke.curate import rules
from netsuke.curate.words import split_words

NOUNS = "river stone lantern harvest copper winter market garden letter bridge thunder meadow kettle".split()


def fillers() -> Iterator[str]:
    """Different words of four letters."""
    return (f"{a}{b}{c}{d}" for a in "kmnp" for b in "aeiou" for c in "rstvz" for d in "aeiou")


def sentences(n: int) -> str:
    """Prose of n different sentences, four a paragraph."""
    pick, words = random.Random(0), [*NOUNS, *fillers()]

    def some(most: int) -> str:
        return " ".join(pick.choices(words, k=pick.randrange(3, most)))

    made = [f"The {some(9)} of the {some(6)}." for _ in range(n)]
    return "\n\n".join(" ".join(made[start : start + 4]) for start in range(0, n, 4))


def broken(text: str, language: str = "en", layout: bool = True) -> dict[str, tuple[float, float]]:
    return {rule: (value, limit) for rule, value, limit in rules.failures(text, language, layout=layout)}


def repeated(n: int, times: int, length: int) -> str:
    """So many characters, in which n words of two letters stand so many times, and nothing else twice."""
    phrase = " ".join(a + b for a, b in zip("abcdefghij"[:n], "qqqqqqqqqq", strict=False))
    words = fillers()
    text = " ".join(f"{phrase} {next(words)}" for _ in range(times))
    while len(text) < length - 10:
        text += f" {next(words)}"
    return text + " " + "w" * (length - len(text) - 1)


def lines(*groups: tuple[int, str]) -> str:
    """Different lines: of each group so many, made of a number and the rest."""
    return "\n".join(text.format(number) for count, text in groups for number in range(count))


THREE, TEN = "cat ", "caterpills "
AT_THE_LIMIT = {
    "gopher: words": ("word " * 50, "word " * 49, 49, 50),
    "gopher: mean word length": (THREE * 50, THREE * 49 + "ox", 2.98, 3),
    "gopher: hash signs per word": ("word " * 90 + "# " * 10, "word " * 89 + "# " * 10, 10 / 99, 0.1),
    "gopher: ellipses per word": ("word " * 90 + "... " * 10, "word " * 89 + "… " * 10, 10 / 99, 0.1),
    "gopher: bullet lines": (lines((9, "- {}"), (1, "a{}")),
        lines((5, "- {}"), (5, "  • {}"), (1, "a{}")), 10 / 11, 0.9),
    "gopher: ellipsis lines": (lines((3, "{}..."), (7, "{}")),
        lines((2, "{}…"), (2, "{}..."), (9, "{}")), 4 / 13, 0.3),
    "gopher: words with a letter": ("word " * 80 + "12 " * 20, "word " * 79 + "12 " * 21, 0.79, 0.8),
    "gopher: stop words": ("to the house", "the house The the", 1, 2),
    "gopher repetition: duplicate paragraphs": (
        "\n\n".join([*"abcdefg", *"aab"]), "\n\n\n".join([*"abcdefghi", *"aabb"]), 4 / 13, 0.3),
    "gopher repetition: characters in duplicate paragraphs": (
        "x" * 20 + "\n\n" + "x" * 20 + "\n\n" + "y" * 56,
        "x" * 20 + "\n\n" + "x" * 20 + "\n\n" + "y" * 55, 20 / 99, 0.2),
    "gopher repetition: duplicate lines": (
        "\n".join("abcdefgaab"), "\n\n".join("abcdefghiaabb"), 4 / 13, 0.3),
    "gopher repetition: characters in duplicate lines": (
        "x" * 20 + "\n" + "x" * 20 + "\n" + "y" * 58,
        "x" * 20 + "\n" + "x" * 20 + "\n" + "y" * 57, 20 / 99, 0.2),
    "gopher repetition: top 2-gram": (repeated(2, 4, 100), repeated(2, 4, 99), 20 / 99, 0.2),
    "gopher repetition: top 3-gram": (repeated(3, 9, 400), repeated(3, 9, 399), 72 / 399, 0.18),
    "gopher repetition: top 4-gram": (repeated(4, 16, 1100), repeated(4, 16, 1099), 176 / 1099, 0.16),
    "gopher repetition: duplicate 5-grams": (repeated(5, 4, 200), repeated(5, 4, 199), 30 / 199, 0.15),
    "gopher repetition: duplicate 6-grams": (repeated(6, 8, 600), repeated(6, 8, 599), 84 / 599, 0.14),
    "gopher repetition: duplicate 7-grams": (repeated(7, 14, 1400), repeated(7, 14, 1399), 182 / 1399, 0.13),
    "gopher repetition: duplicate 8-grams": (repeated(8, 4, 400), repeated(8, 4, 399), 48 / 399, 0.12),
    "gopher repetition: duplicate 9-grams": (repeated(9, 12, 1800), repeated(9, 12, 1799), 198 / 1799, 0.11),
    "gopher repetition: duplicate 10-grams": (repeated(10, 2, 200), repeated(10, 2, 199), 20 / 199, 0.1),
    "fineweb: lines ending in punctuation": (lines((3, "{}."), (22, "{},")),
        lines((3, "{}。"), (23, "{}")), 3 / 26, 0.12),
    "fineweb: short lines": (
        lines((67, "{:030}"), (33, "{:031}")), lines((68, "{:030}"), (32, "{:031}")), 0.68, 0.67),
    "fineweb: characters in duplicate lines": ("x\nx\n" + "y" * 98, "x\n\nx\n" + "y" * 97, 1 / 99, 0.01),
    "fineweb: newlines per word": ("a\nb\nc\nd e f g h i j", "a\nb\nc\nd\ne f g h i j", 0.4, 0.3),
    "c4: lorem ipsum": ("LOREM IPSUM\nthe lorem", "then Lorem ipsum\nand lorem ipsum dolor", 2, 0),
    "c4: sentences": ("It is so. " * 5, "It is so. " * 4, 4, 5),
}  # fmt: skip


@pytest.mark.parametrize("rule", rules.LIMITS)
def test_a_text_at_the_limit_passes_and_one_beyond_fails(rule: str) -> None:
    inside, outside, value, limit = AT_THE_LIMIT[rule]
    assert rule not in broken(inside)
    assert broken(outside)[rule] == (pytest.approx(value), limit)


def test_the_mean_word_has_an_upper_limit() -> None:
    assert "gopher: mean word length" not in broken(TEN * 50)
    assert broken(TEN * 49 + "caterpillar")["gopher: mean word length"] == (pytest.approx(10.02), 10)


def test_a_book_is_no_fault() -> None:
    assert "gopher: words" not in broken("word " * 100_001)


def test_marks_are_no_words() -> None:
    assert "gopher: words with a letter" not in broken("f ( x ) = { y , z } ; " * 30)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "word", "👍", "\u202eabc", "\ud800", "\0", "…" * 500])
def test_texts_of_nearly_nothing(text: str) -> None:
    found = broken(text)
    assert found["gopher: words"][0] <= 1 and found["c4: sentences"] == (0, 5)


def test_pictures_are_words_of_their_own() -> None:
    assert broken("👍👍 ok👍 " * 20)["gopher: words with a letter"] == (0.25, 0.8)


@pytest.mark.parametrize(
    "text",
    ["word " * 100_000, "x" * 500_000, "a\n" * 100_000, "!" * 200_000 + " x", "[" * 100_000, "-\n" * 50_000,
     " " * 200_000 + ".", "a. " * 100_000, "ab" * 70_000 + " c" * 1000],
    ids=lambda text: repr(text[:6]),
)  # fmt: skip
def test_texts_that_would_take_a_slow_way_for_ever(text: str) -> None:
    assert broken(text)


# -- properties ------------------------------------------------------------------------------------------
anything = st.text(st.characters(codec=None), max_size=200) | st.text(
    alphabet="ab .…#\n-•[]1,'。字", max_size=200
)


@given(anything, st.sampled_from(["en", "de", "und"]), st.booleans())
def test_any_text_gets_the_same_verdict_twice(text: str, language: str, layout: bool) -> None:
    found = rules.failures(text, language, layout=layout)
    assert found == rules.failures(text, language, layout=layout)
    for rule, value, limit in found:
        least, most = rules.LIMITS[rule]
        assert (value < least == limit) or (value > most == limit)
    assert [rule for rule, _, _ in found] == [
        rule for rule in rules.LIMITS if rule in broken(text, language, layout)
    ]


@given(anything)
def test_words_are_the_text_without_its_white_space(text: str) -> None:
    words = split_words(text).texts(text)
    assert "".join(words) == "".join(text.split()) and all(word and not word.isspace() for word in words)


def test_equal_words_have_equal_hashes_wherever_they_stand() -> None:
    text = (
        " ".join(f"{noun} of{number}" for number in range(9000) for noun in (NOUNS[number % 12],))
        + " "
        + "x" * 70_000
    )
    words = split_words(text)
    seen: dict[int, set[str]] = {}
    for word, code in zip(words.texts(text), words.hashes.tolist(), strict=True):
        seen.setdefault(code, set()).add(word)
    assert all(len(alike) == 1 for alike in seen.values())
    assert len(seen) == len(set(words.texts(text))) and len(text) > 2 * 65_536


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop, it's 3.14 o'clock.", "Don 't stop , it 's 3.14 o 'clock ."),
        ('"Well-known" (e.g. re-use)...', '" Well - known " ( e.g . re - use ) ...'),
        ("a,b 1,000 x=y 12:30 2024-01-02", "a , b 1,000 x = y 12:30 2024 - 01 - 02"),
        ("word—word #tag *bold* 50% ok😀", "word — word # tag * bold * 50 % ok 😀"),
    ],
)
def test_how_words_are_split(text: str, words: str) -> None:
    assert split_words(text).texts(text) == words.split()


def plainly(words: list[str], text: str) -> dict[str, float]:
    """The values of the repetition rules about n-grams, as their definitions read."""
    made = {}
    for n in (2, 3, 4):
        grams = [" ".join(words[start : start + n]) for start in range(len(words) - n + 1)]
        if grams:
            gram, times = Counter(grams).most_common(1)[0]
            made[f"gopher repetition: top {n}-gram"] = len(gram) * times / len(text)
    for n in range(5, 11):
        seen, start, characters = set(), 0, 0
        while start <= len(words) - n:
            gram = tuple(words[start : start + n])
            if gram in seen:
                characters += sum(map(len, gram))
                start += n
            else:
                seen.add(gram)
                start += 1
        made[f"gopher repetition: duplicate {n}-grams"] = characters / len(text)
    return made


@st.composite
def repetitive(draw: Callable) -> str:
    """Texts of few words and many repeated runs."""
    runs = draw(
        st.lists(st.lists(st.sampled_from("a bb ccc dd e".split()), max_size=14), min_size=1, max_size=4)
    )
    order = draw(st.lists(st.integers(0, len(runs) - 1), min_size=1, max_size=12))
    fresh = draw(st.lists(st.integers(0, 12), min_size=12, max_size=12))
    words = []
    for place, (number, new) in enumerate(zip(order, fresh, strict=False)):
        words += runs[number] + [f"w{place}x{k}" for k in range(new)]
    return " ".join(words) or "a"


@given(repetitive())
@settings(max_examples=300)
def test_repetition_is_what_its_definition_says(text: str) -> None:
    found = {rule: value for rule, (value, _) in broken(text).items() if "-gram" in rule}
    wanted = plainly(split_words(text).texts(text), text)
    assert found == {rule: value for rule, value in wanted.items() if value > rules.LIMITS[rule][1]}
