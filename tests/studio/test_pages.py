"""The pages without a browser: what they show, what they say when there is nothing, and what they refuse."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studied import ghost, with_pack

from netsuke.serve.refused import Refused
from netsuke.store import Store
from netsuke.studio import ask, close, drawing, material, rendering, write


def test_the_first_page_shows_the_models_and_the_dials(looking):
    text = looking.get("/").text
    assert "mine" in text and 'name="mb"' in text and 'name="minutes"' in text and "70.0 MB" not in text
    assert "No open base" not in text


def test_a_model_of_a_table_is_told_as_one(asked):
    text = asked.get("/").text
    assert "on your held-out answers" in text and "held-out text" not in text and "+0.0%" not in text
    assert re.search(r'button first" href="/m/tickets/ask"', text) and 'button first" href="/m/mine/write"' in text
    page = asked.get("/m/tickets").text
    assert "from 160 examples." in page and 'button first" href="/m/tickets/ask"' in page and "your answers" in page
    assert "bits per byte on held-out answers" in page and "held-out text" not in page
    assert "from" not in re.search(r'class="lead">(.*?)<', asked.get("/m/mine").text)[1]
    listed = asked.get("/m/tickets/material").text
    assert "1 file came in. 1 was learnt from in part, with other parts kept aside to choose and check by" in listed
    assert "partly learnt from <i>1<" in listed and ">learnt from <i>" not in listed
    table = asked.get("/m/tickets/material/0").text
    assert "partly learnt from</span>" in table
    assert "It is a table of examples." in table and "not told" in table and "4 kB read<" in table


@pytest.mark.parametrize(("counts", "told"), [
    ((2, 0, 1, 3), "2 were learnt from, 1 kept aside to choose and check by, 3 left out, each for a reason."),
    ((0, 3, 0, 0), "3 were learnt from in part, with other parts kept aside to choose and check by, none left out."),
    ((1, 1, 2, 0), "1 was learnt from, 1 was learnt from in part, with other parts kept aside to choose and check "
                   "by, 2 kept aside whole to choose and check by, none left out."),
])  # fmt: skip
def test_what_became_of_the_files_is_true_of_those_that_were_cut_too(counts, told):
    assert material.fate(dict(zip(material.STATES, counts, strict=True))) == told
    splits = "train", "train+test", "valid+test", "dropped"
    assert [material.state_of(split) for split in splits] == [*material.STATES]


def test_a_number_has_a_real_minus_and_a_hyphen_stays():
    assert rendering.minus("own-text: -14.1% (-20% to +3%), SHA-256, 1-2, a -b") == \
        "own-text: \u221214.1% (\u221220% to +3%), SHA-256, 1-2, a -b"


def test_a_damaged_name_is_told_and_hides_no_other(client, home):
    (home.root / "names" / "packs" / "broken.json").write_text("{")
    text = client.get("/").text
    assert "broken" in text and "netsuke verify" in text and "/m/mine" in text


@pytest.mark.parametrize("path", ["/m/nobody", "/m/..%2f..%2fetc", "/m/nobody/write", "/makes/20260101000000-aaaaaa"])
def test_what_is_not_there_says_what_is(looking, path):
    answer = looking.get(path)
    assert answer.status_code == 404 and "What to do" in answer.text or "no such page" in answer.text


def test_a_pack_without_its_lists_says_so(looking):
    assert "netsuke make mine" in looking.get("/m/mine/material").text
    assert "was not taught a task" in looking.get("/m/mine/ask").text
    text = looking.get("/m/mine/search?q=bees").text
    assert "cannot be searched" in text and "Make it again" in text and "Nothing found" not in text
    assert looking.get("/m/mine/report").status_code == 404


def test_an_estimate_of_nothing_and_of_no_folder(looking):
    assert "Choose a folder" in looking.get("/estimate").text
    answer = looking.get("/estimate?target=/nowhere&mb=80&minutes=5", headers={"HX-Request": "true"})
    assert answer.status_code == 400 and "no folder" in answer.text and "<html" not in answer.text
    for wrong in ("mb=-1", "mb=x", "minutes=nan", "minutes=1e99"):
        assert looking.get(f"/estimate?target=/nowhere&{wrong}").status_code == 400


@pytest.mark.parametrize(("target", "said"), [
    ("~nosuchuser/x", "no home folder"), ("/tmp/" + "x" * 300, "too long"), ("y" * 300, "too long"),
    ("a\0b", "not a usable name"),
])  # fmt: skip
def test_what_can_be_no_path_is_said(looking, target, said):
    asked = {"target": target}
    for answer in (looking.get("/estimate", params=asked), looking.post("/makes", data=asked)):
        assert answer.status_code in (400, 404) and said in answer.text and "What to do" in answer.text


def test_a_name_that_no_file_can_have_is_no_model(looking):
    assert "not a usable name" in looking.get(f"/m/{'x' * 300}").text
    body = {"who": "\ud800" * 99, "prompt": "a", "asked": True, "tokens": 1, "seed": 0}
    for path in (f"/m/{'x' * 300}", f"/m/{'ü' * 150}/watch"):
        assert looking.get(path).status_code == 404
    answer = looking.post("/compare/stream", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 404


def test_a_disk_that_does_not_do_it_is_said(client, home):
    (home.root / "makes").write_text("")
    answer = client.post("/makes", data={"target": str(home.root)})
    assert answer.status_code == 503 and "Not a directory" in answer.text and "NETSUKE_HOME" in answer.text


def test_scripts_get_json(client):
    answer = client.post("/m/nobody/ghost", json={"before": "a", "after": "", "voices": {}})
    assert answer.status_code == 404 and "no model" in answer.json()["error"]["message"]
    for body in ({}, {"before": 1, "after": "", "voices": {}}, {"before": "a", "after": ""}, [1]):
        assert client.post("/m/mine/ghost", json=body).status_code == 400
    assert client.post("/m/mine/ghost", content="{", headers={"Content-Type": "text/plain"}).status_code == 415
    big = json.dumps({"before": "a" * 2_100_000, "after": "", "voices": {}})
    assert client.post("/m/mine/ghost", content=big, headers={"Content-Type": "application/json"}).status_code == 413


def test_ghost_text_comes_from_the_model(client):
    assert ghost(client, "mine", before="the other")
    assert client.post("/m/mine/ghost", json={"before": " ", "after": "", "voices": {}}).status_code == 400
    assert ghost(client, "mine", before="漢" * 2400)
    inside = client.post("/m/mine/ghost", json={"before": "the other", "after": " day\n", "voices": {}})
    assert inside.status_code == 200 and {"content"} <= set(inside.json()) <= {"content", "model", "timings"}


def test_write_has_the_voices_of_a_model_that_has_some(client, home, tmp_path):
    with_pack(home, tmp_path, "choir", voiced=True)
    page = client.get("/m/choir/write").text
    assert page.count('type="range"') == 2 and 'data-voice="owner 3"' in page
    assert 'type="range"' not in client.get("/m/mine/write").text
    asked = {"before": "the other", "after": ""}
    plain, loud = (ghost(client, "choir", **asked, voices=voices) for voices in ({}, {"Bea": 2, "owner 3": 0}))
    assert plain != loud
    inside = client.post("/m/choir/ghost", json={"before": "a", "after": " day\n", "voices": {"Bea": 2}})
    assert inside.status_code == 200
    for wrong, told in (({"Zoe": 1}, "owner 3"), ({"Bea": 3}, "from 0 to 2"), ({"Bea": "x"}, "from 0 to 2")):
        for place, sent in (("ghost", asked), ("rewrite", {"text": "the other"})):
            answer = client.post(f"/m/choir/{place}", json={**sent, "voices": wrong})
            assert answer.status_code == 400 and told in answer.json()["error"]["message"]
    assert client.post("/m/mine/ghost", json={**asked, "voices": {"Bea": 2}}).status_code == 400


def test_a_rewriting_can_be_spoken_of_by_its_id(client, home, monkeypatch):
    monkeypatch.setattr(write, "is_close", lambda passage, text: bool(text))
    answer = client.post("/m/mine/rewrite", json={"text": "the other one", "voices": {}}).json()
    assert answer["choices"] and answer["asked"].endswith("\n\nthe other one")
    for choice in answer["choices"]:
        assert client.post("/v1/feedback", json={"id": choice["id"], "thumb": "down"}).status_code == 200
    assert len({choice["id"] for choice in answer["choices"]}) == len(answer["choices"])
    assert client.post("/v1/feedback", json={"id": "chatcmpl-none", "thumb": "down"}).status_code == 404


def test_two_models_write_with_probabilities(client):
    body = {"who": "mine", "prompt": "the other", "asked": False, "tokens": 4, "seed": 1}
    for asked in (False, True):
        answer = client.post("/compare/stream", json={**body, "asked": asked})
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        assert answer.text.rstrip().endswith("data: [DONE]") and not [one for one in events if "error" in one]
        told = [choice.get("logprobs") or {} for one in events for choice in one["choices"]]
        tokens = [row for logprobs in told for row in logprobs.get("content", [])]
        assert tokens and all(row["logprob"] <= 0 and len(row["top_logprobs"]) == 5 for row in tokens)
        assert str(Store().root) not in answer.text
    assert client.post("/compare/stream", json={**body, "who": "nobody"}).status_code == 404
    gone = client.post("/compare/stream", json={**body, "who": "the base of mine"})
    assert gone.status_code == 404 and "not in this home" in gone.json()["error"]["message"]


# -- small things ------------------------------------------------------------------------------------------
@given(st.text())
def test_places_are_those_of_a_browser(text):
    places = write.utf16(text)
    assert len(places) == len(text) + 1
    for at in range(len(text) + 1):
        assert places[at] == len(text[:at].encode("utf-16-le", "surrogatepass")) // 2


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_ticks_hold_all_values(values):
    found = drawing.ticks(values)
    assert 2 <= len(found) <= 12 and found == sorted(found)
    room = (found[1] - found[0]) * 1e-6 + 1e-9 * max(map(abs, values))
    assert found[0] <= min(values) + room and found[-1] >= max(values) - room


def test_things_are_counted_in_whole_numbers():
    assert drawing.ticks([1, 2], whole=True) == [1, 2]
    assert drawing.ticks([1, 3], whole=True) == [1, 2, 3]
    assert drawing.ticks([1, 10], whole=True) == [0, 5, 10]


def test_a_picture_holds_text_and_no_markup_of_others():
    line = drawing.Line("x", [(0, 1), (2, 3)], labels=["<b>", "&"])
    text = str(drawing.chart('"><script>', "x", "y", [line]))
    assert "<script" not in text and "<b>" not in text and text.count("<polyline") == 1
    assert drawing.chart("t", "x", "y", [drawing.Line("none", [])]) == ""


def test_rows_are_lines_or_a_column_of_a_table():
    assert ask.questions("one\n\n two \n") == ["one", "two"]
    assert ask.questions('id,Text\n1,"a, b"\n2,c\n') == ["a, b", "c"]
    assert ask.questions("hello, world\nyes") == ["hello, world", "yes"]
    for mark in ",;\t|":  # as training reads them
        assert ask.questions(f"text{mark}label\nThe sea{mark}wet\n") == ["The sea"]
    assert ask.questions("sep=;\r\nid;text\r\n1;a, b\r\n") == ["a, b"]
    with pytest.raises(Refused, match="line 3"):
        ask.questions("id,text\n1,a\n2,b, and c\n")
    for wrong in ("", "  \n", "\n".join("x" * (ask.MOST_ROWS + 1))):
        with pytest.raises(Refused):
            ask.questions(wrong)


PASSAGE = "Our two invoices of March are still unpaid, and we ask you to settle them by Friday."


def test_a_rewriting_must_stay_close():
    passage = "The harbour lantern was mended before the winter market."
    assert close.is_close(passage, "Before the winter market, the harbour lantern had been mended.")
    assert not close.is_close(passage, passage)
    assert not close.is_close(passage, "the harbour lantern was mended, before the winter market")
    assert not close.is_close(passage, "I am sorry, I cannot do that, for I am only a model.")
    assert not close.is_close(passage, "The harbour lantern was mended before the winter market. " * 3)
    assert not close.is_close(passage, "The lantern was mended.")
    assert not close.is_close(passage, "")
    assert close.is_close(PASSAGE, "We ask you to settle our two invoices of March by Friday, which are still unpaid.")


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("still", "not"), ("unpaid", "paid"), ("two", "three"), ("two", ""), ("March", "May"), ("March", "last spring"),
        ("ask you", "promise"), ("ask you", "ask her"), ("two", "2"), ("are still", "aren't"), ("Friday", "Friday 13"),
    ],
)  # fmt: skip
def test_what_must_not_change_is_kept(word, other):
    assert PASSAGE.count(word) == 1
    assert close.is_close(PASSAGE, PASSAGE.replace(", and", ". So"))
    assert not close.is_close(PASSAGE, PASSAGE.replace(", and", ". So").replace(word, other))
    assert not close.is_close(PASSAGE.replace(word, other), PASSAGE.replace(", and", ". So"))


@pytest.mark.parametrize("name", ["KeyError", "dict_keys", "__init__"])
def test_names_of_code_are_kept(name):
    passage = f"Where the dictionary is empty a call of this raises {name} at once."
    assert close.is_close(passage, f"A call of this raises {name} at once, where the dictionary is empty.")
    assert not close.is_close(passage, "A call of this raises an error at once, where the dictionary is empty.")


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_two_texts_are_held_against_each_other(passage, text):
    assert close.is_close(passage, text) in (True, False)
    assert not close.is_close(passage, passage) and not close.is_close(passage, f"{passage}.")


def test_what_announces_a_rewriting_is_no_part_of_it():
    assert close.bare("One here.", ' In other words: "Here is one." ') == "Here is one."
    assert close.bare("Note well: one.", "Note this: one.") == "Note this: one."
    assert close.bare('"One here."', '"Here is one."') == '"Here is one."'
    assert close.bare("It is 3.", "At 10:30 it is 3.") == "At 10:30 it is 3."


def test_marks_say_how_far_the_draft_was_read(client):
    long, most = "\N{FIRE}" * 13_000, write.MOST_MARKED
    for text, read in (("a word", 6), ("x" * (most + 5), most), (long, 2 * most)):
        assert client.post("/m/mine/marks", json={"text": text}).json()["read"] == read
