"""Attacks on the pages, in a real browser: names, documents and answers that are markup stay words."""

import json

import browser
import pytest
from material import document
from searched import searchable_pack
from studied import running, with_base, with_task

from netsuke import loop, recipe
from netsuke.consent import corrections
from netsuke.step import Local
from netsuke.store import Store
from netsuke.texts.documents import SPLITS, read_rows

pytestmark = [browser.needed, pytest.mark.timeout(120)]
BAD = """window.ran=1;alert(1);new Image().src='http://evil.example/'"""
PAYLOADS = [
    f'<img src=x onerror="{BAD}">', f'"><script>{BAD}</script>', f"' autofocus onfocus='{BAD}' x='",
    f'<svg onload="{BAD}"><a href="javascript:{BAD}">here</a></svg>', f"[a link](javascript:{BAD})",
    "![a picture](http://evil.example/x.png)", "<http://evil.example/>", f'</pre></textarea><iframe srcdoc="{BAD}">',
    '<link rel=stylesheet href="//evil.example/x.css">', '<base href="http://evil.example/">', "{{ 7 * 191 }}",
]  # fmt: skip
NAMES = ['"><img src=x onerror="window.ran=1">.md', "<script>window.ran=1</script>.md", "' onclick='window.ran=1'.md",
         "javascript:window.ran=1;.md"]  # fmt: skip
OWNER = '<b onmouseover="window.ran=1">Ann</b>'
ALL = "\n\n".join(PAYLOADS)
RECIPE = f"""name = "notes"
base = "x"
[[sources]]
path = "."
owner = '''{OWNER}'''
consent = "in"
profile = "notes"
[curate]
keep = ["*"]  # what they all say stays in each
"""
MADE = """[...document.querySelectorAll("*")].filter((one) => {
    const from = one.src || one.href || ""
    return one.matches("base, iframe, object, embed, a[href^='java' i]")
        || [...one.attributes].some(({ name }) => name.startsWith("on"))
        || (one.matches("img, link, script") && from && !from.startsWith(location.origin))
}).map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A page that came in by the link; every file of the model `notes`, its name, owner and text, is an attack."""
    room = tmp_path_factory.mktemp("attacked")
    store, folder = Store(room / "home"), room / "notes"
    for number, name in enumerate(NAMES * 2):
        path = folder / str(number) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {PAYLOADS[number]}\n\n{ALL}\n\n" + document(number))
    place = folder / "netsuke.toml"
    place.write_text(RECIPE)
    data = loop.documents(recipe.load(place, loop.SECTIONS), place, store, Local(store))
    rows = [row for split in SPLITS for row in read_rows(store.path(data[f"{split}.jsonl"]))]
    pack = searchable_pack(room / "pack", rows)
    told = json.loads((pack / "netsuke.json").read_text()) | {"lineage": {"data": {"key": "", "output": data.ref}}}
    (pack / "netsuke.json").write_text(json.dumps(told))
    store.name("packs", "notes", {"ref": store.add_folder(pack), "recipe": str(place), "trial": []})
    corrections.keep(store.root, "notes", "owner", PAYLOADS[0], ALL)
    with_base(store, room)
    with_task(store, room)
    with running(store) as one, browser.opened() as page:
        page.dialogs = []
        page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(one.link)
        page.one = one
        yield page


def to(page, path):
    page.goto(f"{page.one.url}/m/notes/{path}")
    browser.quiet(page)


def files(page):
    to(page, "material")
    assert all(name in page.inner_text(".documents") for name in [*NAMES, OWNER])
    page.fill("#q", NAMES[0])
    page.locator(".document").nth(2).wait_for(state="detached")
    page.click("text=Take out >> nth=0")
    page.wait_for_selector("text=Keep again")


def a_document(page):
    to(page, "material/3")
    assert all(text in page.inner_text("pre") for text in PAYLOADS) and OWNER in page.inner_text("main")
    assert any(name in page.inner_text("h1") for name in NAMES)


def a_search(page):
    to(page, "search")
    page.fill("#q", f"javascript picture link {PAYLOADS[1]}")
    page.keyboard.press("Enter")
    page.wait_for_selector(".quote")
    assert "evil.example" in page.inner_text(".quote >> nth=0") and page.input_value("#q").endswith(PAYLOADS[1])
    page.click(".quote a >> nth=0")
    assert "evil.example" in page.inner_text("#passage")


def a_draft(page):
    voice = {"state": "none", "why": PAYLOADS[0], "hint": PAYLOADS[1]}
    same = [{"start": 0, "end": 40, "words": 8, "path": NAMES[0]}]
    said = {"asked": ALL, "choices": [{"text": text, "id": "chatcmpl-1"} for text in PAYLOADS[:3]]}
    page.route("**/ghost", lambda route: route.fulfill(json={"content": f" {PAYLOADS[0]}"}))
    page.route("**/marks", lambda route: route.fulfill(json={"off": [], "same": same, "read": 40, "voice": voice}))
    page.route("**/rewrite", lambda route: route.fulfill(json=said))
    to(page, "write")
    page.click(".cm-content")
    page.keyboard.insert_text(f"{ALL}\n\nthe other")
    page.wait_for_selector(".cm-ghost")
    assert page.inner_text(".cm-ghost").strip() == PAYLOADS[0]
    page.keyboard.press("Tab")
    page.uncheck("#marking")
    page.check("#marking")  # at once, not when the writing rests
    page.wait_for_selector(".mark-row")
    page.click(".cm-content")
    assert NAMES[0] in page.inner_text("#marks") and PAYLOADS[0] in page.inner_text("#marks")
    page.keyboard.press("Control+a")
    page.click("#rewrite")
    page.wait_for_selector("#choices .choice")
    assert page.locator("#choices .choice").all_inner_texts() == PAYLOADS[:3]


def what_a_model_writes(page):
    tops = [{"token": text, "logprob": -1.0} for text in PAYLOADS]
    tokens = [{"token": text, "logprob": -0.5, "top_logprobs": tops} for text in PAYLOADS]
    event = json.dumps({"id": "chatcmpl-1", "choices": [{"logprobs": {"content": tokens}}]})
    page.route("**/compare/stream", lambda route: route.fulfill(body=f"data: {event}\n\ndata: [DONE]\n\n"))
    to(page, "compare")
    page.fill("#prompt", ALL)
    page.check("#asked")
    page.click("#compare .first")
    page.wait_for_selector("#found-one .feedback")
    page.hover("#out-one .t >> nth=0")
    assert PAYLOADS[1] in page.inner_text("#odds") and PAYLOADS[0] in page.inner_text("#out-one")


def answers(page):
    page.goto(f"{page.one.url}/m/tickets/ask")
    page.fill("#texts", ALL)
    page.click("#ask .first")
    page.wait_for_selector("#download:not([hidden])", timeout=60_000)
    assert page.locator("#answers tbody td:first-child").all_inner_texts() == PAYLOADS


def what_people_said(page):
    to(page, "watch")
    assert PAYLOADS[1] in page.inner_text("main")


PAGES = [files, a_document, a_search, a_draft, what_a_model_writes, answers, what_people_said]


@pytest.mark.parametrize("look", PAGES, ids=lambda look: look.__name__)
def test_attack_9_what_documents_and_models_say_is_never_run(attacked, look):
    look(attacked)
    attacked.unroute_all()
    browser.quiet(attacked)
    assert attacked.evaluate(MADE) == [] and attacked.evaluate("window.ran") is None and attacked.dialogs == []
    assert browser.strangers(attacked, attacked.one.url) == []
    assert attacked.broken == []  # nothing was tried that the policy would have had to stop
