"""Searching on a page: quotes of the documents with their places, or that there is nothing."""

import html
import json
import re

import pytest
from searched import BEES, searchable_pack
from studied import TABLE

from netsuke.studio import search
from netsuke.texts.documents import write_rows


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


TEXT = "# Bees\n\nA colony <b>needs</b> honey.\n"


@pytest.fixture
def parted(client, home, tmp_path):
    """A model `parted` of one document, kept in two parts, the second of them long."""
    pack, data = searchable_pack(tmp_path / "parted"), tmp_path / "data"
    data.mkdir()
    rows = [{"source": 0, "path": f"bees.md#{n}", "text": text} for n, text in ((1, TEXT), (2, "the hive " * 4000))]
    write_rows(data / "documents.jsonl", [TABLE | {"path": "bees.md", "profile": "prose"}])
    write_rows(data / "train.jsonl", rows)
    told = json.loads((pack / "netsuke.json").read_text())
    told["lineage"] = {"data": {"key": "0" * 64, "output": home.add_folder(data)}}
    (pack / "netsuke.json").write_text(json.dumps(told))
    home.name("packs", "parted", {"ref": home.add_folder(pack), "recipe": "", "trial": []})
    return client


def test_a_quote_leads_to_its_passage_in_the_document(parted):
    begin, end = TEXT.index("A colony"), TEXT.index(" honey")
    linked = parted.get("/m/parted/search", params={"q": "How much honey does a colony need?"}).text
    assert re.search(r'href="/m/parted/material/0\?part=bees.md&amp;begin=\d+&amp;end=\d+#passage"', linked)
    asked = {"part": "bees.md#1", "begin": begin, "end": end}
    text = parted.get("/m/parted/material/0", params=asked).text
    assert 'tabindex="0">A colony &lt;b&gt;needs&lt;/b&gt;</mark> honey.' in text and text.count("the hive ") > 1000
    text = parted.get("/m/parted/material/0", params=asked | {"part": "bees.md#2", "begin": 30_000, "end": 30_008}).text
    assert re.search(r'<mark id="passage" tabindex="0">.{8}</mark>', text) and "A colony" not in text
    for wrong in ({"part": "x.md"}, {"end": 10**8}, {"begin": end}, {"end": ""}):
        assert "<mark" not in parted.get("/m/parted/material/0", params=asked | wrong).text
    assert parted.get("/m/parted/material/0", params=asked | {"end": "x"}).status_code == 400
