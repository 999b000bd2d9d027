"""Opening the studio: pages in the browser and the API at the same address."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import click

from ..errors import EngineError
from ..terminal import say
from . import open_store, tell_pending

if TYPE_CHECKING:
    from ..store import Store

MOST_PROOF = 256  # bytes that are read of it


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
    """A new link of our studio at a port; None where nothing answers. Raises EngineError where another one does.

    Anybody may listen there: it is asked for a proof, and gets neither the key nor what comes of it.
    """
    import httpx

    from ..studio.door import PROOF, Seal, same

    url, nonce = f"http://127.0.0.1:{port}", secrets.token_urlsafe(24)
    told = b""
    try:
        with httpx.stream("GET", url + PROOF, params={"nonce": nonce}, timeout=5, trust_env=False) as answer:
            told = next(answer.iter_raw(MOST_PROOF), b"")
    except httpx.ConnectError:
        return None
    except httpx.HTTPError:  # it speaks something else
        pass
    run, _, proof = told.decode("ascii", "replace").partition(" ")
    seal = Seal(key, port, run)
    if not same(proof, seal.proof(nonce)):
        hint = "another program, or `netsuke serve`: end it, or choose another port: netsuke open --port 8178"
        raise EngineError("the port is taken, and not by a studio of this home", where=url, hint=hint)
    return f"{url}/enter?token={seal.token(name)}"


def tell_running(store: Store) -> None:
    """Say that a make goes on, so that nobody wonders what keeps the machine busy."""
    from ..studio.makes import Makes

    running: list[Any] = [make.job["shown"] for make in Makes(store.root).every() if make.alive]
    for name in running:
        say(f"{name} is still being made; netsuke open shows it")
