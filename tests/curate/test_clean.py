"""Normalising, duplicates and repeated paragraphs."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import Params, clean
from netsuke.nouns import Drop

LONG = "A paragraph that is long enough to be looked for again, because it has more than eighty characters."
OTHER = "Another paragraph, which says something else and is just as long as the first of the two, or longer."


def items(**texts: str) -> list[clean.Item]:
    return [clean.Item(path, 0, "me", "unknown", text) for path, text in texts.items()]


def test_normalise() -> None:
    assert (
        clean.normalise("\n\na \t\r\nb\rc\u2028d\f\ne\x07\ufeff\u0085\n\n\n\n\nf\n")
        == "a\nb\nc\nd\n\ne\n\n\nf"
    )
    assert clean.normalise("  indented\n\ttoo") == "  indented\n\ttoo"
    assert clean.normalise("cafe\u0301 \ud800") == "café \ufffd"
    assert clean.normalise("e\x00\u0301") == "é"
    assert clean.normalise(" " * 300_000 + "x") == " " * 300_000 + "x"


@given(
    st.text(st.characters(codec=None), max_size=60)
    | st.text(alphabet=" \n\r\t\fae\u0301\u2028x", max_size=60)
)
def test_normalised_text_is_clean_and_stays_as_it_is(text: str) -> None:
    once = clean.normalise(text)
    assert clean.normalise(once) == once and unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in once if c not in "\n\t")
    assert all(line == line.rstrip() for line in once.split("\n")) and "\n\n\n\n" not in once


def test_what_is_empty_or_one_long_line_is_dropped() -> None:
    drops: list[Drop] = []
    made = clean.normalised(
        items(none="", short=" \n" * 50 + "x" * 39, right="x" * 40, line="x" * 201, lines="x y\n" * 100),
        Params(max_line_chars=200), drops)  # fmt: skip
    assert [item.path for item in made] == ["right", "lines"]
    assert [(d.path, d.rule) for d in drops] == [
        ("none", "empty"),
        ("short", "empty"),
        ("line", "one long line"),
    ]
    assert "201" in drops[2].detail and drops[2].bytes == 201


def test_the_first_of_two_equal_texts_stays() -> None:
    drops: list[Drop] = []
    made = clean.without_duplicates(items(a="one", b="two", c="one", d="one"), drops)
    assert [item.path for item in made] == ["a", "b"]
    assert [(d.path, d.rule, d.detail, d.bytes) for d in drops] == [
        ("c", "exact duplicate", "of a", 3), ("d", "exact duplicate", "of a", 3)]  # fmt: skip


def test_repeated_paragraphs_are_cut_span_by_span() -> None:
    drops: list[Drop] = []
    shouted = OTHER.upper().replace(" ", "\n  ")
    second = f"Mine.\n\n\n{LONG}\n\n{shouted}\n\nShort.\n\n{LONG}\n\nThe end of it."
    made = clean.without_repeated_paragraphs(
        items(a=f"Start.\n\n{LONG}\n\n{OTHER}", b=second),
        Params(min_chars=5), drops)  # fmt: skip
    assert [item.text for item in made] == [
        f"Start.\n\n{LONG}\n\n{OTHER}",
        "Mine.\n\n\nShort.\n\nThe end of it.",
    ]
    assert [(d.path, d.rule) for d in drops] == [("b", "repeated paragraph")] * 2
    assert drops[0].detail == f"“{LONG[:60]}” of a"
    assert [d.bytes for d in drops] == [len(f"{LONG}\n\n{shouted}"), len(LONG)]


def test_a_text_of_nothing_but_repeats_is_dropped() -> None:
    drops: list[Drop] = []
    made = clean.without_repeated_paragraphs(
        items(a=LONG, b=f"{LONG}\n\nAnd so.", c=f"{OTHER}\n\n{OTHER}"), Params(), drops
    )
    assert [(item.path, item.text) for item in made] == [("a", LONG), ("c", OTHER)]
    assert [(d.path, d.rule) for d in drops] == [
        ("b", "repeated paragraph"), ("b", "nothing left after repeated paragraphs"),
        ("c", "repeated paragraph")]  # fmt: skip
    assert drops[2].detail.endswith("of c")


@given(
    st.lists(
        st.lists(st.sampled_from([LONG, OTHER, LONG.lower(), "Short.", "  x\n  y"]), max_size=5), max_size=5
    )
)
def test_no_long_paragraph_is_left_twice_and_no_short_one_is_lost(documents: list[list[str]]) -> None:
    given_items = items(**{f"{n:02}": clean.normalise("\n\n".join(d)) for n, d in enumerate(documents)})
    drops: list[Drop] = []
    made = clean.without_repeated_paragraphs(given_items, Params(min_chars=0), drops)
    kept = [p for item in made for p in item.text.split("\n\n") if p]
    long = [clean.paragraph_key(p) for p in kept if len(clean.paragraph_key(p)) >= 80]
    before = [p for item in given_items for p in item.text.split("\n\n") if p]
    assert len(long) == len(set(long))
    assert set(long) == {key for p in before if len(key := clean.paragraph_key(p)) >= 80}
    assert [p.strip() for p in kept if len(p) < 80] == [p.strip() for p in before if len(p) < 80]
    again: list[Drop] = []
    assert clean.without_repeated_paragraphs(made, Params(min_chars=0), again) == made and not again
