"""Opening the studio: pages in the browser and the API at the same address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import EngineError
from ..terminal import say
from . import open_store, tell_pending

if TYPE_CHECKING:
    from ..store import Store


@click.command("open")
@click.argument("name", required=False, default="")
@click.option("--port", default=8177, type=click.IntRange(1, 65535), show_default=True)
@click.option("--memory-mb", type=click.IntRange(1), help="For all models together [default: half of the machine's].")
@click.option("--no-browser", is_flag=True, help="Print the link and open nothing.")
def open_studio(name: str, port: int, memory_mb: int | None, no_browser: bool) -> None:
    """Open the studio in the browser; Ctrl-C stops it. Make models, look at them, write with them.

    Every model that is here is also served at the same address, as by `netsuke serve`. With NAME its page is opened,
    and it answers where a request names no model. The link that is printed works once; while a studio runs,
    `netsuke open` prints another one.
    """
    from .. import serve, studio
    from ..front import tending
    from ..studio import shelf

    store = open_store()
    tell_pending(store)
    if name:
        shelf.find(name, store)
    key, address = serve.default_key(store.root), serve.Address(port=port).checked()
    try:
        listener = address.listening()
    except EngineError:
        if link := another_link(port, key, name):
            return shown(link, no_browser)
        raise
    with listener:
        memory = memory_mb * 1_000_000 if memory_mb else None
        application, door = studio.build_studio(store, key=key, port=port, first=name, memory_bytes=memory)

        def ready() -> None:
            shown(f"{address.url}/enter?token={door.token(name)}", no_browser)
            say(f"every model here also answers at {address.url}/v1\nkey: {key}\nCtrl-C stops it")

        with tending.tending(store, say):
            address.run(application, listener, ready)
    tell_running(store)


def shown(link: str, no_browser: bool) -> None:
    """Print the link, and open it."""
    say(link)
    if not no_browser:
        click.launch(link)


def another_link(port: int, key: str, name: str = "") -> str | None:
    """A new link of the studio that answers at a port, if it is one that knows our key."""
    import httpx

    address, headers = f"http://127.0.0.1:{port}/enter", {"Authorization": f"Bearer {key}"}
    try:
        answer = httpx.post(address, headers=headers, params={"name": name}, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return None
    return f"{address}?token={answer.text}" if answer.status_code == 200 else None


def tell_running(store: Store) -> None:
    """Say that a make goes on, so that nobody wonders what keeps the machine busy."""
    from ..studio.makes import Makes

    running: list[Any] = [make.job["shown"] for make in Makes(store.root).every() if make.alive]
    for name in running:
        say(f"{name} is still being made; netsuke open shows it")
