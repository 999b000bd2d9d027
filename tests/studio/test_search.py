"""Searching on a page: quotes of the documents with their places, or that there is nothing."""

import html
import json
import re

import pytest
from searched import BEES, searchable_pack

from netsuke.documents import write_rows
from netsuke.studio import search


@pytest.fixture
def searched(client, home, tmp_path):
    """The client, with a pack `bees` that holds documents."""
    ref = home.add_folder(searchable_pack(tmp_path / "bees"))
    home.name("packs", "bees", {"ref": ref, "recipe": "", "trial": []})
    return client


def quotes(text):
    return [html.unescape(one) for one in re.findall(r"<blockquote><p>(.*?)</p>", text, re.DOTALL)]


def test_quotes_stand_word_for_word_with_their_places(searched):
    text = searched.get("/m/bees/search", params={"q": "How much honey does a colony need?"}).text
    found = quotes(text)
    assert found and all(one in BEES for one in found) and "twenty kilograms of honey" in found[0]
    assert "bees.md</a>, The Bees of Harrow Mill › Feeding in winter, line" in html.unescape(text)
    assert "/m/bees/material?q=bees.md" in text  # the list of documents is not in this home


def test_nothing_is_said_plainly(searched):
    text = searched.get("/m/bees/search", params={"q": "quarterly tax of submarines"}).text
    assert "Nothing found." in text and not quotes(text)
    text = searched.get("/m/bees/search").text
    assert "Nothing found." not in text and 'name="q"' in text


def test_a_question_that_is_too_long_and_markup_in_one(searched):
    answer = searched.get("/m/bees/search", params={"q": "bee " * 600})
    assert answer.status_code == 400 and "What to do" in answer.text
    text = searched.get("/m/bees/search", params={"q": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in text


def test_changed_documents_are_not_quoted(searched, home, tmp_path):
    pack = searchable_pack(tmp_path / "changed")
    with (pack / "search.db").open("r+b") as file:
        file.write(b"x")
    home.name("packs", "changed", {"ref": home.add_folder(pack), "recipe": "", "trial": []})
    answer = searched.get("/m/changed/search?q=bees")
    assert answer.status_code == 503 and "is not what the pack says" in answer.text


@pytest.mark.parametrize(
    "paths, place", [(["a.md", "bees.md"], 1), (["bees.md", "bees.md"], None), (["a.md"], None), ([], None)]
)
def test_a_quote_leads_to_its_document(home, tmp_path, paths, place):
    write_rows(tmp_path / "documents.jsonl", [{"path": path} for path in paths])

    class Listed:
        def rows(self, name):
            return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]

    (row,) = search.linked(Listed(), [{"file": "bees.md", "line": 3}])
    assert row == {"file": "bees.md", "line": 3, "place": place}


def test_a_part_of_a_file_leads_to_the_file():
    class Listed:
        def rows(self, name):
            return [{"path": "post.mbox"}, {"path": "b.md"}]

    (row,) = search.linked(Listed(), [{"file": "post.mbox#2"}])
    assert row["place"] == 0
