"""Pages while they are used, in a real browser: with answers, marks and choices on them, a make that runs."""

import csv
import fcntl
import io
import json

import browser
import pytest
from material import document, whole_make
from served import until
from studied import running, with_base, with_task

from netsuke.store import Store

pytestmark = [browser.needed, pytest.mark.timeout(240)]
ROWS = ['the kettle, "hot"', "=1+1", "caf\u00e9"]
DRAFT = "The other one. A quite different thing."


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """A page that came in by the link: a model that was made, and one that was taught a task."""
    room = whole_make(tmp_path_factory)
    store = Store(room / "home")
    with_base(store, room)
    with_task(store, room)
    with running(store) as one, browser.opened(viewport={"width": 1180, "height": 820}) as page:
        page.goto(one.link)
        page.one = one
        yield page


def at(page, path):
    page.goto(page.one.url + path)
    return page


def a_make(store, name, *events):
    """A make of `notes` that said this."""
    folder = store.root / "makes" / f"20260101000000-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text('{"target": "/nowhere", "shown": "notes", "name": null}')
    (folder / "events.jsonl").write_text("".join(json.dumps({"at": 1.0, **event}) + "\n" for event in events))
    return folder


PLAN = {"kind": "plan", "seconds": 60, "steps": [{"step": "read", "cached": True}, {"step": "tune", "cached": False}]}
LEARNT = [{"kind": "step", "step": "tune", "fraction": n / 4, "count": 9 * n,
           "text": f"loss {4 - n}.5, valid {3 - n / 2} bits per byte"} for n in range(3)]  # fmt: skip


def a_make_that_runs(page):
    folder = a_make(page.one.store, "aaaaaa", PLAN, *LEARNT)
    lock = (folder / "alive").open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    at(page, f"/makes/{folder.name}").wait_for_selector(".steps .runs")
    return lock.close


def a_make_that_is_done(page):
    folder = a_make(page.one.store, "bbbbbb", PLAN, *LEARNT, {"kind": "done", "name": "notes"})
    at(page, f"/makes/{folder.name}").wait_for_selector(".done-box")


def two_that_wrote(page):
    at(page, "/m/notes/compare").fill("#prompt", "The old river")
    page.check("#asked")
    page.select_option("#tokens", "48")
    page.click("#compare .first")
    page.wait_for_selector("body[data-compared='1']", state="attached", timeout=60_000)
    page.hover("#out-one .t >> nth=0")


def answers(page):
    at(page, "/m/tickets/ask").fill("#texts", "\n".join(ROWS))
    page.click("#ask .first")
    page.wait_for_selector("#download:not([hidden])", timeout=60_000)
    page.click("#answers summary >> nth=0")


def draft(page):
    """The editor with a text, and its marks asked for at once."""
    at(page, "/m/notes/write").evaluate("(text) => localStorage.setItem('draft: notes', text)", DRAFT)
    page.reload()
    page.uncheck("#marking")
    page.check("#marking")


def marks_and_choices(page):
    voice = {"state": "settled", "sentences": 20, "general_marked": 0.5}
    same = {"start": 15, "end": 30, "words": 8, "path": "note-03.md"}
    found = {"off": [{"start": 0, "end": 14, "bits": 1.0}], "same": [same], "read": len(DRAFT), "voice": voice}
    said = {"asked": "…", "choices": [{"text": "That other one.", "id": "chatcmpl-1"}]}
    page.route("**/marks", lambda route: route.fulfill(json=found))
    page.route("**/rewrite", lambda route: route.fulfill(json=said))
    draft(page)
    page.wait_for_selector(".cm-off")
    page.click(".cm-content")
    page.keyboard.press("Control+a")
    page.click("#rewrite")
    page.wait_for_selector("#choices .choice")
    page.click("#choices summary")
    return lambda: (page.unroute("**/marks"), page.unroute("**/rewrite"))


def a_passage(page):
    at(page, "/m/notes/search").fill("#q", document(3).split("\n\n")[1])
    page.keyboard.press("Enter")
    page.click(".quote a >> nth=0")
    page.wait_for_selector("#passage")


def the_report(page):
    """Its markup alone: no script runs where it is shown, and axe is one."""
    answer = page.request.get(f"{page.one.url}/m/notes/report")
    page.goto("about:blank")
    page.set_content(answer.text())
    assert "notes" in page.inner_text("h1")


USES = [a_make_that_runs, a_make_that_is_done, two_that_wrote, answers, marks_and_choices, a_passage, the_report]


@pytest.mark.parametrize("scheme, width", [("light", 1180), ("dark", 390)])
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_a_page_in_use_is_for_everybody(used, use, scheme, width):
    used.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    used.set_viewport_size({"width": width, "height": 800})
    undo = use(used)
    try:
        assert used.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.barriers(used) == []
    finally:
        if undo:
            undo()
        used.set_viewport_size({"width": 1180, "height": 820})
        used.emulate_media(color_scheme="light")


def test_what_is_downloaded_is_what_was_answered(used):
    answers(used)
    shown = [row.locator("td").all_inner_texts()[:3] for row in used.locator("#answers tbody tr").all()]
    with used.expect_download() as download:
        used.click("#download")
    assert download.value.suggested_filename == "answers.csv"
    head, *rows = csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8")))
    assert head == ["text", "answer", "confidence"]
    assert [row[0] for row in rows] == [text.replace("=", "'=") for text in ROWS]  # no spreadsheet runs it
    told = [[text, answer or "not sure", f"{100 * float(sure):.0f}%"]
            for text, (_, answer, sure) in zip(ROWS, rows, strict=True)]  # fmt: skip
    assert told == shown


@pytest.mark.parametrize("place", ["#ask", "#texts", "#ask .row"])
def test_a_table_may_be_dropped_anywhere_on_the_form(used, place):
    at(used, "/m/tickets/ask")
    browser.dropped(used, place, ("t.csv", "text,label\nThe sea,wet\nA fire,hot\n"))
    until(lambda: "The sea" in used.input_value("#texts"))
    assert used.locator("#ask.over").count() == 0
    used.click("#ask .first")
    used.wait_for_selector("#asked >> text=2 texts answered", timeout=60_000)
    assert used.locator("#answers tbody td:first-child").all_inner_texts() == ["The sea", "A fire"]


@pytest.mark.slow
def test_a_sentence_that_is_less_like_its_owner_is_marked(used):
    store = used.one.store
    place = store.root / "voice" / f"{store.named('packs', 'notes')['ref']}.json"
    place.parent.mkdir(exist_ok=True)
    kept = place.read_text() if place.exists() else None

    def marked(threshold, count):
        told = {"threshold": threshold, "sentences": 20, "general_marked": None, "general": 0}
        place.write_text(json.dumps(told))
        draft(used)
        used.wait_for_selector(f"#marks .mark-row.off >> nth={count - 1}", timeout=60_000)
        assert used.locator(".cm-off").count() == count
        return {row.locator("q").inner_text(): float(row.locator("span").inner_text().split(": ")[1].split()[0])
                for row in used.locator(".mark-row.off").all()}  # fmt: skip

    try:
        both = marked(-99.0, 2)  # whatever there is
        less, more = sorted(both, key=both.get)
        marked((both[less] + both[more]) / 2, 1)
        assert used.inner_text(".cm-off") == more
        assert "underline" in used.evaluate("getComputedStyle(document.querySelector('.cm-off')).textDecorationLine")
        assert "by more than 95 of 100 of 20 sentences of yours" in used.inner_text("#marks")
    finally:
        place.unlink() if kept is None else place.write_text(kept)


def test_nothing_left_the_machine_and_nothing_broke(used):
    assert browser.strangers(used, used.one.url) == []
    assert used.broken == []
