"""Running lines at the edges, and paragraphs that come again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import repeats
from netsuke.curate.items import Drops, Item
from netsuke.curate.lines import normalise

LONG = "A paragraph that is long enough to be looked for again, because it has more than eighty characters."
OTHER = "Another paragraph, which says something else and is just as long as the first of the two, or longer."


def items(**texts: str) -> list[Item]:
    return [Item(path, 0, "me", "unknown", text) for path, text in texts.items()]


# -- paragraphs ------------------------------------------------------------------------------------------
def test_repeated_paragraphs_are_cut_span_by_span() -> None:
    drops = Drops()
    shouted = OTHER.upper().replace(" ", "\n  ")
    second = f"Mine.\n\n\n{LONG}\n\n{shouted}\n\nShort.\n\n{LONG}\n\nThe end of it."
    made = repeats.without_repeated_paragraphs(items(a=f"Start.\n\n{LONG}\n\n{OTHER}", b=second), 80, drops)
    assert [item.text for item in made] == [
        f"Start.\n\n{LONG}\n\n{OTHER}",
        "Mine.\n\n\nShort.\n\nThe end of it.",
    ]
    assert [(d.path, d.rule) for d in drops.rows] == [("b", "repeated paragraph")] * 2
    assert drops.rows[0].detail == f"“{LONG[:60]}” of a"
    assert [d.bytes for d in drops.rows] == [len(f"{LONG}\n\n{shouted}"), len(LONG)]
    assert made[1].places == ((1, 1), (4, 8 + shouted.count("\n")), (6, second.count("\n") + 1))


def test_a_text_of_nothing_but_repeats_is_empty() -> None:
    drops = Drops()
    made = repeats.without_repeated_paragraphs(items(a=LONG, b=LONG, c=f"{OTHER}\n\n{OTHER}"), 80, drops)
    assert [item.text for item in made] == [LONG, "", OTHER]
    assert drops.rows[1].detail.endswith("of c")


def test_the_recipe_may_keep_repeats() -> None:
    drops = Drops(keep=["repeated paragraph"])
    given_items = items(a=LONG, b=f"{LONG}\n\nAnd so.")
    assert repeats.without_repeated_paragraphs(given_items, 80, drops) == given_items
    assert not drops.rows and [d.path for d in drops.spared] == ["b"]


@given(
    st.lists(
        st.lists(st.sampled_from([LONG, OTHER, LONG.lower(), "Short.", "  x\n  y"]), max_size=5), max_size=5
    )
)
def test_no_long_paragraph_is_left_twice_and_no_short_one_is_lost(documents: list[list[str]]) -> None:
    given_items = items(**{f"{n:02}": normalise("\n\n".join(d))[0] for n, d in enumerate(documents)})
    made = repeats.without_repeated_paragraphs(given_items, 80, Drops())
    kept = [p for item in made for p in item.text.split("\n\n") if p]
    long = [repeats.key_of(p) for p in kept if len(repeats.key_of(p)) >= 80]
    before = [p for item in given_items for p in item.text.split("\n\n") if p]
    assert len(long) == len(set(long))
    assert set(long) == {key for p in before if len(key := repeats.key_of(p)) >= 80}
    assert [p.strip() for p in kept if len(p) < 80] == [p.strip() for p in before if len(p) < 80]
    again = Drops()
    assert repeats.without_repeated_paragraphs(made, 80, again) == made and not again.rows


# -- frames ----------------------------------------------------------------------------------------------
def page_of(n: int) -> str:
    word = "abcdefghijklmnopqrst"[n]
    return (
        f"Home | Shop | Contact\n\nArticle {word}\n\nIts {word} text.\n\nAnn Lee, Sales\nCopyright 2026"
    )


def test_menus_and_signatures_stay_in_the_first_document_only() -> None:
    drops = Drops()
    made = repeats.without_frames(items(**{f"{n:02}.html": page_of(n) for n in range(10, 20)}), drops)
    assert made[0].text == page_of(10)
    assert [item.text for item in made[1:]] == [f"Article {word}\n\nIts {word} text." for word in "lmnopqrst"]
    assert {d.rule for d in drops.rows} == {"boilerplate"}


def test_few_documents_have_no_frames() -> None:
    drops = Drops()
    given_items = items(**{f"{n:02}.html": page_of(n) for n in range(10, 14)})
    assert repeats.without_frames(given_items, drops) == given_items and not drops.rows


def test_code_has_no_frames() -> None:
    code = [
        Item(f"{n}.py", 0, "me", "MIT", f"import os\nimport sys\nprint({n})", profile="code")
        for n in range(9)
    ]
    assert repeats.without_frames(code, Drops()) == code


def test_what_differs_in_its_numbers_is_no_frame() -> None:
    texts = [f"# Day {n}\n\nI slept well.\n\nWeight: {70 + n / 10} kg\nSteps: {8000 + n}" for n in range(30)]
    days = items(**{f"{n}.md": text for n, text in enumerate(texts)})
    drops = Drops()
    assert repeats.without_frames(days, drops)[1:] != days[1:]  # the line that is the same
    assert {d.detail for d in drops.rows} == {"“I slept well.”"}


def test_tables_keep_their_heads() -> None:
    texts = [f"date,what,amount\n2026-{n:02}-11,Rent,-812.40" for n in range(1, 13)]
    months = [Item(f"{n}.csv", 0, "me", "unknown", text, profile="catalogue") for n, text in enumerate(texts)]
    assert repeats.without_frames(months, Drops()) == months


def test_running_headers_and_page_numbers_of_one_document_go() -> None:
    pages = [
        f"The Annual Report 2025\n\nText of part {'abcdefgh'[n]}, as long as it is.\n\n{n + 1}"
        for n in range(8)
    ]
    text = "\n\n".join(pages)
    starts = tuple((1 + n * 6, f"page {n + 1}") for n in range(8))
    drops = Drops()
    [made] = repeats.without_frames([Item("r.pdf", 0, "me", "unknown", text, pages=starts)], drops)
    assert made.text.count("Annual Report") == 1 and made.text.startswith(
        "The Annual Report 2025\n\nText of part a"
    )
    assert "\n\n8" not in made.text and all(f"part {c}," in made.text for c in "abcdefgh")
    assert len(drops.rows) == 7 + 8


def one_of_pages(pages: list[str], label: str, profile: str = "notes") -> Item:
    starts = tuple((1 + sum(p.count("\n") + 2 for p in pages[:n]), f"{label} {n + 1}") for n in range(len(pages)))
    return Item("a", 0, "me", "unknown", "\n\n".join(pages), pages=starts, profile=profile)  # type: ignore[arg-type]


def test_sheets_cells_and_messages_have_no_running_heads() -> None:
    sheet = "# {0}\n\nItem | Amount\nRent | 70{1}\nWater bill | {1}4\nTotal | 1{1}17"
    sheets = [sheet.format(2019 + n, n) for n in range(5)]
    cells = [f"```python\nx{n} = compute({n})\n```" for n in range(6)]
    mails = [f"Subject: Level {n}\nFrom: Eve\n\nText {n}.\n\nHeight of the river: 12{n} cm" for n in range(8)]
    for given_item in (one_of_pages(sheets, "sheet", "catalogue"), one_of_pages(sheets, "page", "catalogue"),
                       one_of_pages(cells, "cell"), one_of_pages(mails, "message")):  # fmt: skip
        drops = Drops()
        assert repeats.without_frames([given_item], drops) == [given_item] and not drops.rows


def test_figures_at_the_edges_of_pages_stay() -> None:
    pages = [f"Reading {700 + n}\n\nText {'abcdefgh'[n]}.\n\nThe level was {n + 1}.5 m" for n in range(8)]
    drops = Drops()
    given_item = one_of_pages(pages, "page")
    assert repeats.without_frames([given_item], drops) == [given_item] and not drops.rows


@pytest.mark.parametrize(
    ("foot", "left"),
    [("Page {} of 12", 1), ("- {} -", 0), ("{}", 0), ("{} | Page", 1), ("{}/12", 0), ("The River   {}", 1)],
)
def test_numbers_of_pages_go(foot: str, left: int) -> None:
    pages = [f"Text {'abcdefgh'[n]}, as long as it is.\n\n{foot.format(n + 1)}" for n in range(8)]
    drops = Drops()
    [made] = repeats.without_frames([one_of_pages(pages, "page")], drops)
    assert len(drops.rows) == 8 - left and made.text.count("as long as it is.") == 8


@pytest.mark.parametrize("place", [0, 1])
def test_fenced_code_is_cut_whole_or_not_at_all(place: int) -> None:
    code = "```python\nimport numpy as np\n\nmain(name)\n```"
    texts = [[f"The {word} text, as long as it is.", f"More of {word}."] for word in "abcdefghijkl"]
    for text in texts:
        text.insert(place, code)
    given_items = items(**{f"{n:02}": "\n\n".join(text) for n, text in enumerate(texts)})
    drops = Drops()
    assert repeats.without_frames(given_items, drops) == given_items and not drops.rows
    made = repeats.without_repeated_paragraphs(given_items, 30, drops)
    assert made[0] == given_items[0] and not any("`" in item.text for item in made[1:])
    assert [d.bytes for d in drops.rows if "```" in d.detail] == [len(code)] * 11


@pytest.mark.parametrize("title", ["Meeting minutes\n===============", "=====\nHello\n====="])
def test_an_underline_goes_with_its_title(title: str) -> None:
    given_items = items(**{f"{n}": f"{title}\n\nWe spoke of {'abcdefghij'[n]}." for n in range(10)})
    made = repeats.without_frames(given_items, Drops())
    assert made[0] == given_items[0] and [item.text for item in made[1:]] == [f"We spoke of {c}." for c in "bcdefghij"]
    pages = [f"{title}\n\nText of {'abcdefgh'[n]}.\n\nThe end of {n}00." for n in range(8)]
    [made_of_pages] = repeats.without_frames([one_of_pages(pages, "page")], Drops())
    assert made_of_pages.text.count(title) == 1 and "\n==" not in made_of_pages.text.replace(title, "")


def test_a_letter_keeps_how_it_greets_and_is_signed() -> None:
    letter = "Dear Ann,\n\nthis is about {0}, {0}.\n\nYours,\n\nBob Lee\nHill Street 7,\nOakham\nSales, Ltd"
    letters = items(**{f"{n}.eml": letter.format("abcdefghijkl"[n]) for n in range(12)})
    made = repeats.without_frames(letters, Drops())
    assert made[0] == letters[0]
    assert [item.text for item in made[1:]] == [f"Dear Ann,\n\nthis is about {c}, {c}.\n\nYours,\n\nBob Lee"
                                               for c in "bcdefghijkl"]  # fmt: skip


def test_a_menu_with_commas_is_no_greeting() -> None:
    menus = items(**{f"{n}.html": f"Home\nShop,\nAbout us\n\nText {'abcdefghijkl'[n]}." for n in range(12)})
    assert [item.text for item in repeats.without_frames(menus, Drops())[1:]] == [f"Text {c}." for c in "bcdefghijkl"]
