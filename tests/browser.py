"""A real browser for tests: Debian's Chromium, driven by playwright, which may reach nothing but this machine."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "there is no Chromium: scripts/browser installs it where it may (root, apt-get)"

AXE = Path(__file__).parent / "studio" / "axe.min.js"
# whatever is in the way of a file that is dragged may cancel it, so it is dragged over first
DROP = """([place, files]) => {
    const dataTransfer = new DataTransfer()
    for (const [name, text] of files) dataTransfer.items.add(new File([text], name))
    for (const kind of ["dragover", "drop"]) {
        const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true })
        document.querySelector(place).dispatchEvent(event)
    }
}"""

needed = pytest.mark.skipif(PROGRAM is None, reason=MISSING)


_running: list[Any] = []  # playwright starts once in a thread


@contextlib.contextmanager
def _playing() -> Iterator[Any]:
    """Playwright, started or as it runs already."""
    if _running:
        yield _running[0]
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        _running.append(play)
        try:
            yield play
        finally:
            _running.clear()


@contextlib.contextmanager
def opened(**context: Any) -> Iterator[Any]:
    """A page of a fresh browser, with `asked`, the addresses it asked for, and `broken`, the errors of its scripts."""
    with _playing() as play:
        browser = play.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        try:
            page = browser.new_page(**context)
            page.asked, page.broken = [], []
            page.on("request", lambda request: page.asked.append(request.url))
            _count(page)
            page.on("pageerror", lambda error: page.broken.append(str(error)))
            page.on("console", lambda note: page.broken.append(note.text) if note.type == "error" else None)
            yield page
        finally:
            browser.close()


def _count(page: Any) -> None:
    """Keep what a page waits for, `awaited`, a stream of events apart, and when that last changed, `stirred`."""
    page.awaited, page.stirred = set(), time.monotonic()

    def change(how: Any, request: Any) -> None:
        if request.resource_type != "eventsource":
            how(request)
            page.stirred = time.monotonic()

    page.on("request", lambda request: change(page.awaited.add, request))
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda request: change(page.awaited.discard, request))


def quiet(page: Any, seconds: float = 0.1) -> None:
    """Waits until a loaded page has asked for nothing more for a moment: that of `networkidle` is half a second."""
    page.wait_for_load_state()
    page.stirred = time.monotonic()
    while page.awaited or time.monotonic() < page.stirred + seconds:
        page.wait_for_timeout(20)


def dropped(page: Any, place: str, *files: Sequence[str]) -> None:
    """Drop files, each a name and its text, on an element."""
    page.evaluate(DROP, [place, files])


def strangers(page: Any, url: str) -> list[str]:
    """What a page asked for that is not of this address."""
    own = (f"{url}/", f"blob:{url}/", "data:", "about:")
    return [address for address in page.asked if not address.startswith(own)]


def barriers(page: Any) -> list[tuple[str, str]]:
    """(rule, markup) of each serious thing that axe finds to be in somebody's way on a page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then((all) => all.violations)")
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]


def ready(page: Any, timeout_seconds: float = 60) -> dict[str, str]:
    """Waits until a model's page has started; what it says of itself."""
    page.wait_for_selector("body[data-ready], body[data-failed]", state="attached", timeout=timeout_seconds * 1000)
    return dict(page.evaluate("({...document.body.dataset})"))


def answered(page: Any, text: str, tokens: int = 12, mode: str = "chat", timeout_seconds: float = 60) -> str:
    """What the model of a page answers to a text, typed in and sent."""
    page.check(f"[value={mode}]", force=True)
    page.evaluate(f"document.getElementById('longest').value = {tokens}, document.getElementById('chance').value = 0")
    count = 1 + int(page.evaluate("+document.body.dataset.answers || 0"))
    page.fill("#say", text)
    page.click("#send")
    page.wait_for_selector(f"body[data-answers='{count}']", state="attached", timeout=timeout_seconds * 1000)
    return str(page.locator("#talk p span").last.inner_text())
