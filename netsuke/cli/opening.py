"""Opening the studio: pages in the browser and the API beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import EngineError
from ..terminal import say
from . import open_store

if TYPE_CHECKING:
    from ..store import Store


@click.command("open")
@click.argument("name", required=False)
@click.option("--port", default=8177, type=click.IntRange(1, 65535), show_default=True)
@click.option("--no-browser", is_flag=True, help="Print the link and open nothing.")
def open_studio(name: str | None, port: int, no_browser: bool) -> None:
    """Open the studio in the browser: make models, look at them, write with them. Ctrl-C stops it.

    With NAME an OpenAI-style API of that model answers at the same address. The link that is printed works once;
    while a studio runs, `netsuke open` prints another one.
    """
    from .. import serve, studio, targets
    from ..serve import app

    store = open_store()
    key = serve.default_key(store.root)
    try:
        listener = app.listen("127.0.0.1", port)
    except EngineError:
        if link := another_link(port, key):
            return shown(link, no_browser)
        raise
    with listener:
        api, supervisor = None, None
        if name:
            from ..engines.llama import Engine

            engine = Engine(targets.pack_folder(name, store) / "model.gguf")
            supervisor = serve.Supervisor(name, engine)
            api = serve.build_app(supervisor, key=key, port=port)
        application, door = studio.build_studio(store, key=key, port=port, api=api, lent=supervisor)

        def ready() -> None:
            shown(f"http://127.0.0.1:{port}/enter?token={door.token()}", no_browser)
            if name:
                say(f"{name} also answers at http://127.0.0.1:{port}/v1\nkey: {key}")
            say("Ctrl-C stops it")

        app.run(application, listener, ready)
    tell_running(store)


def shown(link: str, no_browser: bool) -> None:
    """Print the link, and open it."""
    say(link)
    if not no_browser:
        click.launch(link)


def another_link(port: int, key: str) -> str | None:
    """A new link of the studio that answers at a port, if it is one that knows our key."""
    import httpx

    address = f"http://127.0.0.1:{port}/enter"
    try:
        answer = httpx.post(address, headers={"Authorization": f"Bearer {key}"}, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return None
    return f"{address}?token={answer.text}" if answer.status_code == 200 else None


def tell_running(store: Store) -> None:
    """Say that a make goes on, so that nobody wonders what keeps the machine busy."""
    from ..studio.makes import Makes

    running: list[Any] = [make.job["shown"] for make in Makes(store.root).every() if make.alive]
    for name in running:
        say(f"{name} is still being made; netsuke open shows it")
