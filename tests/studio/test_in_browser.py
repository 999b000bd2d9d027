"""The studio in a real browser: from dropping files to writing, every page for whoever sees, hears or only types."""

import fcntl
import json
import re
import time
from pathlib import Path
from urllib.parse import quote

import browser
import httpx
import pytest
from material import SECTIONS, document, whole_make
from served import until
from studied import BASE, running, with_base, with_pack, with_task

from netsuke.consent import corrections
from netsuke.consent.ledger import Ledger
from netsuke.front import watching
from netsuke.serve import events, usage
from netsuke.serve.task import Task
from netsuke.store import Store
from netsuke.studio import write
from netsuke.studio.makes import Makes

pytestmark = [browser.needed, pytest.mark.timeout(240)]
CURRENT = """Math.max(0, ...[...document.querySelectorAll(".tabs [aria-current]")]
    .map((one) => one.getBoundingClientRect().right))"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page that came in by the link: a model that was made, two whose words can be read, a make that failed."""
    room = whole_make(tmp_path_factory)
    store = Store(room / "home")
    with_base(store, room)
    with_pack(store, room, "ascii", spoken=True, context_tokens=4096)
    with_pack(store, room, "choir", voiced=True, spoken=True, context_tokens=4096)
    (room / "empty").mkdir()
    job = {"target": str(room / "empty"), "shown": "empty", "name": None, "mb": 80.0, "minutes": 1.0}
    failed = Makes(store.root).start(job)
    until(lambda: not failed.alive)
    with running(store) as one, browser.opened(viewport={"width": 1180, "height": 820}) as page:
        page.goto(one.link)
        page.one, page.made_at = one, f"{one.url}/makes/{failed.id}"
        yield page


def at(page, path):
    page.goto(page.one.url + path)
    return page


def text_of(page):
    return page.evaluate("localStorage.getItem(Object.keys(localStorage).find((key) => key.startsWith('draft')))") or ""


def writing(page, name="ascii", text="the other"):
    """The editor with a text just typed, and what is suggested."""
    at(page, f"/m/{name}/write").evaluate("localStorage.clear()")
    page.reload()
    page.click(".cm-content")
    page.keyboard.type(text)
    page.wait_for_selector("#ghost-said:has-text('Suggestion')", state="attached", timeout=30_000)  # all of it
    return page.inner_text(".cm-ghost")


@pytest.mark.slow
def test_a_model_of_dropped_files_is_made_and_shown(tmp_path):
    store = Store(tmp_path / "home")
    with_base(store, tmp_path)
    with running(store) as one, browser.opened(viewport={"width": 1180, "height": 820}) as page:
        page.goto(one.link)
        assert "yours" in page.inner_text("h1")
        files = [(f"note-{n:02}.md", document(n)) for n in range(14)]
        browser.dropped(page, "#drop", *files, ("netsuke.toml", f'name = "notes"\nbase = "{BASE}"\n{SECTIONS}'))
        page.wait_for_selector("text=15 files taken in")
        page.wait_for_selector("#estimate >> text=About")
        page.fill("#minutes", "1")
        assert page.inner_text("#minutes-told") == "1 min"
        page.click("text=Make it")
        page.wait_for_selector(".steps .runs, .done-box", timeout=60_000)
        address = page.url
        page.goto(one.url)  # away, and back
        page.wait_for_selector(f"a[href='{address.removeprefix(one.url)}']")
        page.goto(address)
        page.wait_for_selector(".done-box, .trouble", timeout=200_000)
        assert "is made" in page.inner_text(".done-box"), page.inner_text("main")
        page.click("text=See its report")
        assert page.inner_text("h1") == "notes" and page.locator("svg.chart").count() >= 2
        assert "14 documents" in page.inner_text(".lead")
        page.goto(f"{one.url}/m/notes/report")
        assert "notes" in page.inner_text("h1")
        page.go_back()
        page.click("text=Write with it")
        page.click(".cm-content")
        page.keyboard.type("The old river")
        page.wait_for_selector(".cm-ghost", timeout=30_000)
        ghost = page.inner_text(".cm-ghost")
        page.keyboard.press("Tab")
        assert text_of(page) == "The old river" + ghost
        assert ghost in page.inner_text(".cm-content")  # what is suggested next stands behind it
        assert page.broken == [] and browser.strangers(page, one.url) == []


def test_what_is_suggested_is_no_text_until_it_is_taken(made):
    ghost = writing(made)
    assert text_of(made) == "the other"
    made.keyboard.press("Control+ArrowRight")
    first = re.match(r"\s*\S+", ghost)[0]
    assert text_of(made) == "the other" + first
    made.keyboard.press("Escape")
    assert made.locator(".cm-ghost").count() == 0 and text_of(made) == "the other" + first


def test_tab_takes_it_whole_and_typing_along_keeps_the_rest(made):
    ghost = writing(made)
    made.keyboard.press("Tab")
    assert text_of(made) == "the other" + ghost
    ghost = writing(made)
    made.keyboard.type(ghost[:2])
    assert made.inner_text(".cm-ghost") == ghost[2:] and text_of(made) == "the other" + ghost[:2]


def test_a_stale_suggestion_is_never_shown(made):
    writing(made)
    held = []
    made.route("**/ghost", lambda route: held.append(route))
    made.keyboard.press("Escape")
    made.keyboard.type(" one")
    for _ in range(50):
        if held:
            break
        made.wait_for_timeout(50)
    made.keyboard.press("Home")  # the cursor has left the place it was asked for
    for route in held:
        with_answer(route)
    made.wait_for_timeout(200)
    made.unroute("**/ghost")
    assert held and made.locator(".cm-ghost").count() == 0


def test_of_a_long_text_the_same_beginning_is_read_again_and_again(made):
    at(made, "/m/ascii/write").evaluate("localStorage.clear()")
    made.reload()
    made.click(".cm-content")
    made.keyboard.insert_text("the other " * 300)
    asked = []
    for word in ("one", " two"):
        with made.expect_request("**/ghost") as request:
            made.keyboard.type(word)
        asked.append(request.value.post_data_json["before"])
    assert asked[1].startswith(asked[0]) and 1200 <= len(asked[0]) <= 2400


def test_each_voice_is_a_slider_that_ghost_text_follows(made):
    before = writing(made, "choir")
    assert made.locator("#voices input").count() == 2 and "checked" in made.inner_text("#voices")
    bea = made.get_by_label("Bea")
    assert (bea.input_value(), bea.get_attribute("min"), bea.get_attribute("max")) == ("1", "0", "2")
    assert made.is_disabled("#voices-reset")
    with made.expect_request("**/ghost") as request:
        bea.press("End")
    assert request.value.post_data_json["voices"] == {"Bea": 2} and made.inner_text("#voices output >> nth=0") == "2.0"
    made.wait_for_selector(".cm-ghost", timeout=30_000)
    assert made.inner_text(".cm-ghost") != before and text_of(made) == "the other"
    made.get_by_label("owner 3").press("ArrowLeft")
    made.reload()  # they are remembered, by model
    assert [one.input_value() for one in made.locator("#voices input").all()] == ["2", "0.9"]
    with made.expect_request("**/ghost") as request:
        made.click("#voices-reset")
        made.keyboard.press("Tab")
        made.click(".cm-content")
        made.keyboard.press("End")
        made.keyboard.type(" ")
    assert request.value.post_data_json["voices"] == {}
    assert [one.input_value() for one in made.locator("#voices input").all()] == ["1", "1"]
    assert made.evaluate("localStorage.getItem('voices: choir')") == "{}"
    at(made, "/m/ascii/write")
    assert made.locator("#voices").count() == 0


@pytest.mark.slow
def test_voices_that_are_remembered_wrong_are_as_they_were(made):
    for kept in ("nonsense", "[]", "null", "3", '{"Bea": "loud", "Zoe": 2}'):
        at(made, "/m/choir/write").evaluate("(kept) => localStorage.setItem('voices: choir', kept)", kept)
        made.reload()
        assert [one.input_value() for one in made.locator("#voices input").all()] == ["1", "1"]


@pytest.mark.slow
def test_a_rewriting_follows_the_voices_is_judged_corrected_and_taken(made, monkeypatch):
    monkeypatch.setattr(write, "is_close", lambda passage, text: bool(text))  # a drawn model stays close to nothing
    writing(made, "choir")
    made.get_by_label("Bea").press("Home")
    made.click(".cm-content")
    made.keyboard.press("Control+a")
    with made.expect_request("**/rewrite") as request:
        made.click("#rewrite")
    assert request.value.post_data_json == {"text": "the other", "voices": {"Bea": 0}}
    made.wait_for_selector("#choices .choice", timeout=60_000)
    made.click("#choices [aria-label='Good answer'] >> nth=0")
    made.wait_for_selector("#choices [aria-label='Good answer'][aria-pressed=true]")
    (thumb,) = events.thumbs(made.one.store.root, "choir", 0)
    assert thumb.thumb == "up"
    made.click("#choices summary >> nth=0")
    made.fill("#choices textarea >> nth=0", "That other one.")
    made.click("#choices .correcting .button >> nth=0")
    assert corrections.every(made.one.store.root, "choir") == []  # without the tick nothing is sent
    made.check("#choices .correcting input >> nth=0")
    made.click("#choices .correcting .button >> nth=0")
    made.wait_for_selector("#choices >> text=Kept")
    assert made.get_attribute("#choices [aria-label='Good answer'] >> nth=0", "aria-pressed") == "false"
    assert made.get_attribute("#choices [aria-label='Bad answer'] >> nth=0", "aria-pressed") == "true"
    assert made.evaluate("document.activeElement.tagName") == "SUMMARY"
    (kept,) = corrections.every(made.one.store.root, "choir")
    assert kept.answer == "That other one." and kept.prompt.endswith("\n\nthe other")
    choice = made.inner_text("#choices .choice >> nth=0")
    made.click("#choices .choice >> nth=0")
    assert text_of(made) == choice and made.locator("#choices .choice").count() == 0


def with_answer(route, body='{"content": " late"}'):
    """Answer a request, unless the page has given it up."""
    from playwright.sync_api import Error

    try:
        route.fulfill(status=200, content_type="application/json", body=body)
    except Error:
        pass


@pytest.mark.slow
def test_a_draft_in_two_tabs_is_one_draft(made):
    writing(made)
    with made.context.expect_page() as opening:
        made.evaluate("open(location)")
    other = opening.value
    other.wait_for_selector(".cm-content >> text=the other")
    made.click(".cm-content")
    made.keyboard.press("Control+End")
    made.keyboard.type(" long text")
    other.wait_for_selector(".cm-content >> text=the other long text")
    other.click(".cm-content")
    other.keyboard.press("Control+End")
    other.keyboard.type("x")
    made.wait_for_selector(".cm-content >> text=the other long textx")
    other.close()
    assert text_of(made) == "the other long textx"


@pytest.mark.slow
def test_marks_come_from_the_material_and_from_held_out_text(made):
    copied = " ".join(document(3).split("\n\n")[1].split()[:12])
    at(made, "/m/notes/write").evaluate("localStorage.clear()")
    made.reload()
    made.click(".cm-content")
    made.keyboard.insert_text(f"Quite another thing. {copied}")
    made.wait_for_selector("body[data-marked=settled], body[data-marked=none]", state="attached", timeout=60_000)
    told = made.inner_text("#marks")
    split = Store(made.one.store.root)
    learnt = [row["path"] for row in rows_of(split, "notes")]
    assert ("as in note-03.md" in told) == ("note-03.md" in learnt)
    assert "sentences of yours" in told or "sentences were kept aside" in told


@pytest.mark.slow
def test_marks_that_were_switched_off_stay_off(made):
    voice = {"state": "settled", "sentences": 20, "general_marked": None}
    found = {"off": [{"start": 0, "end": 3, "bits": 1.0}], "same": [], "read": 9, "voice": voice}
    held = []
    made.route("**/marks", lambda route: held.append(route))
    at(made, "/m/ascii/write").evaluate("localStorage.setItem('draft: ascii', 'the other')")
    with made.expect_request("**/marks"):
        made.reload()
    made.uncheck("#marking")
    for route in held:
        with_answer(route, json.dumps(found))
    made.wait_for_timeout(200)
    made.unroute("**/marks")
    assert held and made.inner_text("#marks") == "Marks are off." and made.locator(".cm-off").count() == 0


@pytest.mark.slow
def test_of_a_long_draft_it_is_said_how_far_it_was_read(made):
    for length, said in ((write.MOST_MARKED, False), (write.MOST_MARKED + 90, True)):
        at(made, "/m/ascii/write").evaluate("localStorage.clear()")
        made.reload()
        made.click(".cm-content")
        made.keyboard.insert_text("word " * (length // 5))
        made.wait_for_selector("body[data-marked]", state="attached", timeout=60_000)
        assert ("first 12,000 characters" in made.inner_text("#marks")) == said


@pytest.mark.slow
def test_asking_again_begins_the_table_anew(tmp_path, monkeypatch):
    real = Task._ask

    def slow(self, messages, turn):
        time.sleep(0.15)
        return real(self, messages, turn)

    monkeypatch.setattr(Task, "_ask", slow)
    store = Store(tmp_path / "home")
    with_task(store, tmp_path)
    with running(store) as one, browser.opened() as page:
        page.goto(one.link)
        page.goto(f"{one.url}/m/tickets/ask")
        page.fill("#texts", "\n".join(f"first {n}" for n in range(12)))
        page.click("#ask .first")
        page.wait_for_selector("#answers tbody tr")
        page.fill("#texts", "second 0\nsecond 1")
        page.click("#ask .first")
        page.wait_for_selector("#download:not([hidden])")
        assert page.locator("#answers tbody tr td:first-child").all_inner_texts() == ["second 0", "second 1"]
        assert page.inner_text("#asked") == "2 texts answered" and page.broken == []
        until(lambda: not any(seat.users for seat in one.shelf.seats))
        chosen(page, "#csv", "caf\u00e9.csv", "text\ncaf\u00e9\n".encode("cp1252"))
        page.wait_for_selector("#asked >> text=save it as UTF-8")
        assert page.input_value("#texts") == "second 0\nsecond 1"
        for changed in ("", "typed over"):  # the same file once more is read again
            chosen(page, "#csv", "t.tsv", b"text\tlabel\nThe sea\twet\n")
            until(lambda: "The sea" in page.input_value("#texts"))
            page.fill("#texts", changed)


@pytest.mark.slow
def test_the_button_that_stops_a_make_stays_under_the_hand(tmp_path):
    store, name = Store(tmp_path / "home"), "20260101000000-abcdef"
    folder = store.root / "makes" / name
    folder.mkdir(parents=True)
    (folder / "job.json").write_text('{"target": "/nowhere", "shown": "nowhere", "name": null}')
    with running(store) as one, browser.opened() as page, (folder / "alive").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        page.goto(one.link)
        page.goto(f"{one.url}/makes/{name}")
        page.route("**/events", lambda route: route.abort())
        page.reload()
        page.wait_for_selector("#gone >> text=The studio does not answer")
        page.unroute("**/events")
        page.reload()
        page.broken.clear()
        page.focus("text=Stop it")
        for fraction in (0.25, 0.5):
            told(folder, kind="step", step="tune", fraction=fraction, text=f"{fraction} of it", count=0)
            page.wait_for_selector(f"text={fraction} of it")
            assert page.evaluate("document.activeElement.textContent") == "Stop it"
        told(folder, kind="failed", what="It broke.", hint="")
        page.wait_for_selector(".trouble")
        assert not page.is_visible("text=Stop it") and page.broken == []
        assert page.inner_text("h1") == "Make of nowhere" and page.title() == "Make of nowhere · Netsuke"


def chosen(page, button, *files):
    """Choose files, each a name and its bytes, by a button."""
    with page.expect_file_chooser() as picker:
        page.click(button)
    pairs = zip(files[::2], files[1::2], strict=True)
    picker.value.set_files([{"name": name, "mimeType": "", "buffer": content} for name, content in pairs])


@pytest.mark.slow
def test_what_is_dropped_later_joins_what_was_dropped_before(tmp_path):
    store = Store(tmp_path / "home")
    with_base(store, tmp_path)
    with running(store) as one, browser.opened() as page:
        page.goto(one.link)
        page.wait_for_selector("#estimate p")
        browser.dropped(page, "#drop", ["n1.md", "one"], ["n2.md", "two"])
        page.wait_for_selector("text=2 files taken in")
        folder = Path(page.input_value("#target"))
        full = '{"error": {"message": "It is full", "hint": "buy a disk"}}'
        page.route("**/folders/**", lambda route: route.fulfill(status=413, body=full))
        chosen(page, "#choose", "n4.md", b"four", "n5.md", b"five")
        page.wait_for_selector("text=It is full. buy a disk. Drop them again.")
        page.unroute("**/folders/**")
        chosen(page, "#choose", "n4.md", b"four", "n5.md", b"five")
        page.wait_for_selector("text=4 files taken in")
        assert page.input_value("#target") == str(folder)
        assert sorted(path.name for path in folder.iterdir()) == ["n1.md", "n2.md", "n4.md", "n5.md"]
        page.fill("#minutes", "9")
        page.goto(f"{one.url}/keys")
        page.go_back()
        page.wait_for_selector("#estimate >> text=About")
        assert (page.input_value("#target"), page.input_value("#minutes")) == (str(folder), "9")
        assert page.inner_text("#minutes-told") == "9 min"


@pytest.mark.slow
def test_a_studio_that_does_not_answer_is_said(made):
    at(made, "/m/notes/material").wait_for_load_state("networkidle")
    for asked, answer in (("x", lambda route: route.abort()), ("xy", lambda route: route.fulfill(status=401))):
        made.route("**/material?*", answer)
        made.fill("#q", asked)
        made.wait_for_selector("#gone >> text=netsuke open")
        made.unroute("**/material?*")
        made.evaluate("document.getElementById('gone').textContent = ''")
    made.fill("#q", "note-03")
    made.locator(".document").nth(1).wait_for(state="detached")
    assert made.inner_text("#gone") == ""
    made.route("**/marks", lambda route: route.abort())
    at(made, "/m/ascii/write").click(".cm-content")
    made.keyboard.type("some words")
    made.wait_for_selector("#marks >> text=The studio does not answer")
    made.unroute("**/marks")
    made.broken[:] = [text for text in made.broken if not re.search("ERR_FAILED|401|Failed to fetch", text)]


def told(folder, **event):
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({"at": 1.0, **event}) + "\n")


def rows_of(store, name):
    from netsuke.studio import shelf

    return shelf.find(name, store).rows("train.jsonl")


def test_two_models_side_by_side(made):
    at(made, "/m/notes/compare")
    made.fill("#prompt", "The old river")
    made.select_option("#tokens", "48")
    made.click("#compare .first")
    made.wait_for_selector("body[data-compared='1']", state="attached", timeout=60_000)
    assert all(made.locator(f"#out-{side} .t").count() for side in ("one", "two"))
    assert made.locator(".stream .bad").count() == 0
    made.route("**/compare/stream", lambda route: None)  # it never answers
    made.click("#compare .first")
    made.click("#halt")
    made.wait_for_selector("body[data-compared='2']", state="attached")
    assert made.evaluate("document.activeElement.textContent") == "Write" and not made.is_visible("#halt")
    made.unroute("**/compare/stream")
    made.click("#compare .first")
    made.wait_for_selector("body[data-compared='3']", state="attached", timeout=60_000)
    made.hover("#out-one .t >> nth=0")
    assert re.search(r"was [\d.]+% likely\. Likeliest: “", made.inner_text("#odds"))


def test_a_document_is_found_taken_out_and_kept_again(made):
    at(made, "/m/notes/material")
    assert made.locator(".document").count() == 16
    made.fill("#q", "note-03")
    made.locator(".document").nth(1).wait_for(state="detached")
    assert made.inner_text(".document .what a") == "note-03.md"
    assert made.locator("#leaving a").count() == 0
    made.click("text=Take out")
    made.wait_for_selector("text=Keep again")
    made.wait_for_selector("#leaving >> text=1 document goes out at the next make")
    assert "goes at the next make 1" in made.inner_text("#counts") and made.is_checked("#counts input >> nth=0")
    assert made.evaluate("document.activeElement.textContent") == "Keep again"
    ledger = Ledger(made.one.store.root / "ledger.db")
    (row,) = ledger.standing().rows
    assert row.decision == "out" and row.scope == "document" and ledger.verify() is None
    assert "goes next" in made.inner_text(".document")
    made.click(".document .what a")
    assert "goes out at the next make" in made.inner_text("main") and "Note 3" in made.inner_text("pre")
    made.go_back()
    made.wait_for_selector(".document")
    assert made.locator(".document").count() == 1 and made.input_value("#q") == "note-03"
    made.click(".document .what a")
    made.click("text=Keep again")
    made.wait_for_selector("text=Take out")
    assert ledger.standing().rows == ()


def test_a_quote_is_found_and_leads_to_its_document(made):
    at(made, "/m/notes/search")
    made.fill("#q", document(3).split("\n\n")[1])
    made.keyboard.press("Enter")
    made.wait_for_selector(".quote, .empty")
    quote, place = made.inner_text(".quote blockquote >> nth=0"), made.inner_text(".quote figcaption a >> nth=0")
    assert re.search(r"\.md, .*line \d+$", made.inner_text(".quote figcaption >> nth=0"))
    made.click(".quote figcaption a >> nth=0")
    assert made.inner_text("h1") == place and made.evaluate("document.activeElement.id") == "passage"
    assert made.inner_text("mark").split() == quote.split()
    pre, mark = (made.locator(one).bounding_box() for one in ("pre", "mark"))
    assert pre["y"] <= mark["y"] and mark["y"] + mark["height"] <= pre["y"] + pre["height"]
    made.focus("pre")
    made.keyboard.press("Tab")
    assert made.evaluate("document.activeElement.id") == "passage"


def test_nothing_found_is_said(made):
    at(made, "/m/notes/search?q=zygomorphic+quaternions")
    assert made.locator(".quote").count() == 0 and "Nothing found" in made.inner_text(".empty")


def test_a_key_is_made_used_and_removed(made):
    at(made, "/")
    made.click("nav >> text=Keys")
    made.fill("#name", "shop")
    made.fill("#rpm", "60")
    made.check("input[name='may:notes']", force=True)
    made.click("text=Make it")
    key = made.inner_text("#made")
    with httpx.Client(base_url=made.one.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as shop:
        assert [one["id"] for one in shop.get("/v1/models").json()["data"]] == ["notes"]
        assert shop.post("/v1/completions", json={"prompt": "the", "max_tokens": 2}, timeout=60).status_code == 200
        until(lambda: usage.rows(made.one.store.root, "shop"))
        at(made, "/keys")
        assert made.locator("#made").count() == 0 and "no limit" in made.inner_text("main")
        assert made.locator("section table tr", has_text="shop").count() == 1
        made.click("text=Remove")
        made.wait_for_selector("text=Nobody else has a key")
        assert shop.get("/v1/models").status_code == 401


def test_the_log_is_whole_and_can_be_filtered(made):
    at(made, "/audit")
    made.wait_for_selector("#verdict .done-box")
    assert "The log is whole" in made.inner_text("#verdict")
    others = made.locator("#rows td:nth-child(5):not(:text-is('notes'))")
    assert others.count()
    made.select_option("#model", "notes")
    others.first.wait_for(state="detached")
    assert made.locator("#rows tbody tr").count()


def test_an_answer_is_corrected_and_watch_lists_it(made):
    at(made, "/m/ascii/compare")
    made.fill("#prompt", "Where is the key?")
    made.check("#asked")
    made.select_option("#tokens", "48")
    made.click("#compare .first")
    made.wait_for_selector("#found-one .feedback", timeout=60_000)
    made.click("#found-one [aria-label='Bad answer']")
    made.wait_for_selector("#found-one [aria-label='Bad answer'][aria-pressed=true]")
    made.click("#found-one summary")
    made.fill("#found-one textarea", "Under the mat.")
    made.click("#found-one .correcting .button")
    assert corrections.every(made.one.store.root, "ascii") == []  # without the tick nothing is sent
    made.check("#found-one .correcting input")
    made.click("#found-one .correcting .button")
    made.wait_for_selector("#found-one >> text=Kept")
    (kept,) = corrections.every(made.one.store.root, "ascii")
    assert (kept.owner, kept.prompt, kept.answer) == ("owner", "Where is the key?", "Under the mat.")
    at(made, "/m/ascii").click("nav >> text=Watch")
    assert "0 up, 1 down" in made.inner_text("main") and "Under the mat." in made.inner_text("main")
    made.click("text=Delete")
    made.wait_for_selector("text=No corrections")
    assert corrections.every(made.one.store.root, "ascii") == []


def test_watch_shows_what_was_asked(made):
    until(lambda: events.requests(made.one.store.root, "notes", 0))
    at(made, "/m/notes/watch")
    made.wait_for_load_state("networkidle")
    told = made.inner_text("main")
    assert "last hour" in told and "Not enough yet" in told and "Train it again" in told
    assert "no prompts yet" in told or "of a prompt" in told


def test_a_rule_is_set_by_the_keyboard_alone(made):
    place = Path(made.one.store.named("packs", "notes")["recipe"])
    before = place.read_text()
    at(made, "/m/notes/watch").wait_for_load_state("networkidle")
    made.focus("#rule")
    made.keyboard.type("corrections >> 3")
    made.keyboard.press("Enter")
    made.wait_for_selector("#rule-told [role=alert]")
    assert made.evaluate("document.activeElement.id") == "rule" and made.input_value("#rule") == "corrections >> 3"
    for _ in range(4):
        made.keyboard.press("Backspace")
    made.keyboard.type(">= 3")
    made.keyboard.press("Tab")
    made.keyboard.press("Space")
    made.wait_for_selector("#rule-told [role=status] >> text=Kept in its recipe")
    assert made.evaluate("document.activeElement.id") == "keep-rule"
    assert watching.rule_of(place) == "corrections >= 3" and place.read_text().startswith(before)


PLACES = ["/", "/m/notes", "/m/notes/compare", "/m/notes/material", "/m/notes/material/3", "/m/notes/write",
          "/m/notes/ask", "/m/notes/search", "/m/notes/search?q=lantern", "/m/ascii/search", "/m/notes/watch",
          "/m/ascii/watch", "/m/choir/write", "/enter?token=used", "/keys", "/audit", "/m/nobody",
          "a make"]  # fmt: skip


@pytest.mark.parametrize("scheme, width", [("light", 1180), ("dark", 360)])
@pytest.mark.parametrize("path", PLACES)
def test_every_page_is_for_everybody(made, path, scheme, width):
    made.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    made.set_viewport_size({"width": width, "height": 800})
    try:
        made.goto(made.made_at if path == "a make" else made.one.url + quote(path, safe="/?="))
        browser.quiet(made)
        assert made.evaluate("document.documentElement.scrollWidth") <= width
        assert made.evaluate(CURRENT) <= width
        assert browser.barriers(made) == []
    finally:
        made.set_viewport_size({"width": 1180, "height": 820})
        made.emulate_media(color_scheme="light")


def test_the_keyboard_alone_reaches_the_page_and_leaves_the_editor(made):
    at(made, "/")
    made.keyboard.press("Tab")
    assert made.evaluate("document.activeElement.className") == "skip"
    writing(made)
    made.keyboard.press("Escape")
    made.keyboard.press("Tab")
    assert made.evaluate("document.activeElement.closest('.cm-editor')") is None


def test_nothing_left_the_machine_and_nothing_broke(made):
    assert browser.strangers(made, made.one.url) == []
    assert {address.split(":")[0] for address in made.asked} <= {"http", "blob", "data"}
    known = "404 (Not", "400 (Bad", "401 (Unauth"  # the page of nobody, a rule that is none, a link that was used
    wrong = [text for text in made.broken if not any(status in text for status in known)]
    assert wrong == []
