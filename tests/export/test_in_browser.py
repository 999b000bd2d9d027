"""The page in a real browser, opened from the disk: it starts, chats, writes on, reaches nothing, takes no markup."""

import re

import browser
import pytest
from packed import small_pack

from netsuke import export
from netsuke.export import page

pytestmark = browser.needed


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page on the disk, of a tiny model."""
    room = tmp_path_factory.mktemp("page")
    pack = small_pack(room / "pack", name="mine <b>", spoken=True, context_tokens=4096)
    export.form("html").write(pack, room / "page.html")
    return room / "page.html"


@pytest.fixture(scope="module")
def shown(written):
    """It, opened from the disk."""
    with browser.opened(viewport={"width": 360, "height": 780}, color_scheme="dark") as shown:
        shown.goto(written.as_uri())
        yield shown


def test_it_opens_from_the_disk_and_talks(shown, written):
    state = browser.ready(shown)
    assert "failed" not in state and state["threads"] == "1"
    first = browser.answered(shown, "hello", tokens=6)
    assert first.strip()
    text = browser.answered(shown, "the other", tokens=6, mode="write")
    assert text.startswith("the other") and len(text) > len("the other")
    assert shown.input_value("#say") == text
    assert {re.split(r"[/:]", address)[0] for address in shown.asked} <= {"file", "blob", "data"}
    assert [address for address in shown.asked if address.startswith("file")] == [written.as_uri()]
    assert shown.broken == []


def test_what_is_said_is_text_and_never_markup(shown):
    browser.ready(shown)
    browser.answered(shown, "<img src=x onerror=alert(1)>", tokens=2)
    assert shown.locator("#talk img").count() == 0
    assert "<img src=x" in shown.inner_text("#talk")
    assert shown.inner_text("h1") == "mine <b>"


def test_it_fits_a_phone_and_every_field_has_a_name(shown):
    browser.ready(shown)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    nameless = shown.evaluate("""[...document.querySelectorAll('input, textarea, button, progress')].filter(
        one => !(one.labels?.length || one.textContent.trim() || one.getAttribute('aria-label'))).length""")
    assert nameless == 0
    assert shown.evaluate("document.documentElement.lang") == "en"
    assert shown.get_attribute("#talk", "role") == "log" and shown.get_attribute("#spoken", "aria-live") == "polite"


def test_it_is_used_without_a_mouse(shown):
    browser.ready(shown)
    shown.check("[value=chat]", force=True)
    count = int(shown.evaluate("+document.body.dataset.answers || 0")) + 1
    shown.focus("#say")
    shown.keyboard.type("hi")
    shown.keyboard.press("Enter")
    shown.wait_for_selector(f"body[data-answers='{count}']", state="attached", timeout=60_000)
    assert shown.evaluate("document.activeElement.id") == "say"


@pytest.mark.slow
def test_an_engine_that_died_is_replaced(shown):
    browser.ready(shown)
    shown.evaluate("engine.exit()")
    browser.answered(shown, "hello", tokens=2)
    assert "ready again" in shown.inner_text("#told")
    assert browser.answered(shown, "hello", tokens=2).strip()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_page_says_so(written, tmp_path, damage):
    data = bytearray(written.read_bytes())
    if damage == "flip":
        data[data.rindex(page.CLOSE + b"<script>take('model'") - 5000] ^= 1
    else:
        at = data.rindex(page.CLOSE + b"<script>take('model'")
        del data[at - 5000 : at - 4000]
    (tmp_path / "page.html").write_bytes(data)
    with browser.opened() as shown:
        shown.goto((tmp_path / "page.html").as_uri())
        state = browser.ready(shown)
        assert "damaged" in state["failed"] or "cut" in state["failed"]
        assert shown.is_disabled("#send") and "did not start" in shown.inner_text("#told")


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, two):
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_its_colours_can_be_read_by_day_and_by_night():
    schemes = re.findall(r":root \{([^}]*)\}", (page.ROOM / "style.css").read_text())
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", scheme))
        pairs = [(text, ground) for text in ("ink", "faint", "mark", "bad") for ground in ("ground", "card")]
        for text, ground in [*pairs, ("on-mark", "mark"), ("ink", "mine"), ("faint", "mine")]:
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


@pytest.mark.slow
def test_a_served_page_may_use_threads(tmp_path):
    import threading

    import uvicorn
    from served import free_port

    from netsuke.serve.page import Page

    pack = small_pack(tmp_path / "pack", spoken=True, context_tokens=4096)
    export.form("html folder").write(pack, tmp_path / "page")
    port = free_port()
    config = uvicorn.Config(Page(tmp_path / "page", secret="s" * 22, port=port), port=port, log_level="warning",
                            lifespan="off", ws="none")  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with browser.opened() as shown:
            shown.goto(f"http://127.0.0.1:{port}/{'s' * 22}/")
            state = browser.ready(shown)
            assert "failed" not in state, state
            assert shown.evaluate("crossOriginIsolated")
            assert browser.answered(shown, "hello", tokens=4).strip()
            hosts = {address.split("/")[2] for address in shown.asked if address.startswith("http")}
            assert hosts == {f"127.0.0.1:{port}"}
    finally:
        server.should_exit = True
        thread.join()
