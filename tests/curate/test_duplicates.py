"""Copies and near-copies: found, confirmed, the best one stays."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke.curate import duplicates
from netsuke.curate.items import Drops, Item

WORDS = "river stone lantern harvest copper winter market garden letter bridge thunder silver meadow kettle".split()


def prose(seed: int, words: int = 240) -> str:
    """A text of its own for each seed."""
    pick = random.Random(seed)
    return " ".join(pick.choice(WORDS) + str(pick.randrange(50)) for _ in range(words))


def items(*texts: str, ranks: tuple[int, ...] = ()) -> list[Item]:
    return [
        Item(f"{n:02}.txt", 0, "me", "unknown", text, rank=ranks[n] if ranks else 0)
        for n, text in enumerate(texts)
    ]


def jaccard(a: str, b: str) -> float:
    one, other = set(duplicates.runs(a)), set(duplicates.runs(b))
    return len(one & other) / len(one | other)


def changed(text: str, share: float, seed: int = 0) -> str:
    """The text with a run of its words, this share of them, written anew."""
    words = text.split()
    count = round(share * len(words))
    return " ".join([*words[: len(words) - count], *prose(10**6 + seed, count).split()])


def test_of_equal_texts_the_first_stays() -> None:
    drops = Drops()
    kept, copies = duplicates.without_copies(items("one", "two", "one", "one"), drops)
    assert [item.path for item in kept] == ["00.txt", "01.txt"]
    assert [(d.path, d.rule, d.detail, d.bytes) for d in drops.rows] == [
        ("02.txt", "exact duplicate", "of 00.txt", 3), ("03.txt", "exact duplicate", "of 00.txt", 3)]  # fmt: skip
    assert {key[1]: [c.path for c in found] for key, found in copies.items()} == {
        "00.txt": ["02.txt", "03.txt"]
    }


def test_the_better_right_then_the_longer_text_stays() -> None:
    text = prose(1)
    longer = f"{text} and a little more"
    for texts, ranks, stays in (
        ((text, longer), (0, 0), "01.txt"),
        ((longer, text), (1, 0), "01.txt"),
        ((text, longer, text), (2, 2, 0), "02.txt"),
    ):
        kept, copies = duplicates.without_near_copies(items(*texts, ranks=ranks), 0.8, Drops())
        assert [item.path for item in kept] == [stays] and [key[1] for key in copies] == [stays]


def test_a_near_copy_is_above_the_jaccard_asked_for() -> None:
    text = prose(1)
    for share in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3):
        other = changed(text, share)
        drops = Drops()
        pair = items(text, other)
        kept, _ = duplicates.without_near_copies(pair, 0.8, drops)
        assert (len(kept) == 1) == (jaccard(text, other) >= 0.8 and not _missed(*pair)), share
        assert [d.rule for d in drops.rows] == ["near duplicate"] * (2 - len(kept))


def test_what_is_kept_by_the_recipe_stays() -> None:
    text = prose(1)
    drops = Drops(keep=["01.*"])
    kept, copies = duplicates.without_near_copies(
        items(text, changed(text, 0.02), changed(text, 0.02, 1)), 0.8, drops
    )
    assert [item.path for item in kept] == ["00.txt", "01.txt"]
    assert [d.path for d in drops.rows] == ["02.txt"] and [d.path for d in drops.spared] == ["01.txt"]
    assert [[c.path for c in found] for found in copies.values()] == [["02.txt"]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.03, 0.1, 0.4])), max_size=14))
def test_nothing_alike_is_left_and_nothing_else_goes(made: list[tuple[int, float]]) -> None:
    given_items = items(*(changed(prose(seed), share, n) for n, (seed, share) in enumerate(made)))
    drops = Drops()
    kept, copies = duplicates.without_near_copies(given_items, 0.8, drops)
    assert len(kept) + len(drops.rows) == len(given_items) == len(kept) + sum(map(len, copies.values()))
    for a in range(len(kept)):
        for b in range(a):
            assert jaccard(kept[a].text, kept[b].text) < 0.8 or _missed(kept[a], kept[b])
    by_path = {item.path: item for item in given_items}
    for drop in drops.rows:
        assert jaccard(by_path[drop.path].text, by_path[drop.detail.removeprefix("of ")].text) >= 0.8


def _missed(a: Item, b: Item) -> bool:
    """MinHash does not propose every pair (0.92 of them at Jaccard 0.8)."""
    return duplicates.Near([a, b]).candidates(0) == []


# -- grouping --------------------------------------------------------------------------------------------
def test_near_duplicates_are_grouped_through_each_other() -> None:
    words = prose(1, 300).split()
    chain = [
        " ".join(words[n * 12 : n * 12 + 200]) for n in range(6)
    ]  # each near the next, the ends far apart
    texts = [prose(2), *chain, prose(3), chain[0].upper().replace(" ", ",  ")]
    assert duplicates.groups(items(*texts)) == [0, 1, 1, 1, 1, 1, 1, 7, 1]
    assert jaccard(chain[0], chain[-1]) < 0.7


def test_texts_that_only_look_alike_stay_apart() -> None:
    common = prose(1, 100)
    texts = [f"{common} {prose(n, 100)}" for n in range(2, 30)]  # a half is shared: Jaccard about 1/3
    assert duplicates.groups(items(*texts)) == list(range(28))


def test_chinese_is_compared_by_character() -> None:
    text = "".join(chr(0x4E00 + random.Random(n).randrange(3000)) for n in range(200))
    assert duplicates.groups(items(text, text[:100] + "新" + text[100:], text[::-1])) == [0, 0, 2]


def test_grouping_agrees_with_every_pair() -> None:
    pick = random.Random(7)
    texts = [" ".join(prose(pick.randrange(4), 120).split()[: pick.randrange(100, 121)]) for _ in range(40)]
    groups = duplicates.groups(items(*texts))
    for a in range(40):
        for b in range(a):
            if jaccard(texts[a], texts[b]) >= 0.9:
                assert groups[a] == groups[b]


def test_very_short_texts_are_alike_only_if_equal() -> None:
    kept, _ = duplicates.without_near_copies(items("one, two!", "One two", "one three", ""), 0.8, Drops())
    assert [item.path for item in kept] == ["00.txt", "02.txt", "03.txt"]


@given(
    st.text(st.characters(max_codepoint=127), max_size=80)
    | st.text("aé1_’“ —漢", max_size=40)
    | st.text(max_size=40)
)
def test_the_short_way_gives_the_same_words(text: str) -> None:
    assert duplicates.words(text) == duplicates._WORD.findall(text.casefold())
